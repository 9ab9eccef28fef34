// AssemblyScript, compiled to WebAssembly with SIMD: the mean of ranks' gradients, and float32 to bfloat16 and back. Works on
// memory that threads share; one instance in each. Everything comes in blocks of 32 numbers: callers round lengths up.

// Numbers of a block: 8 vectors of 4, so that sums stay in registers while the ranks are gone through.
const BLOCK: i32 = 32;
// Bytes of an entry of the table of ranks: address of its numbers (u32), its weight (f32).
const ENTRY: usize = 8;

// out = sum of weight * numbers over the table, in its order, rounded to float32 after each operation. `out` may be one of the inputs.
export function meanF32(table: usize, ranks: i32, out: usize, blocks: i32): void {
  const end = table + <usize>ranks * ENTRY;
  for (let at: usize = 0, bytes = <usize>blocks * BLOCK * 4; at < bytes; at += BLOCK * 4) {
    let p = <usize>load<u32>(table) + at;
    let w = f32x4.splat(load<f32>(table, 4));
    let a = f32x4.mul(w, v128.load(p));
    let b = f32x4.mul(w, v128.load(p, 16));
    let c = f32x4.mul(w, v128.load(p, 32));
    let d = f32x4.mul(w, v128.load(p, 48));
    let e = f32x4.mul(w, v128.load(p, 64));
    let f = f32x4.mul(w, v128.load(p, 80));
    let g = f32x4.mul(w, v128.load(p, 96));
    let h = f32x4.mul(w, v128.load(p, 112));
    for (let entry = table + ENTRY; entry < end; entry += ENTRY) {
      p = <usize>load<u32>(entry) + at;
      w = f32x4.splat(load<f32>(entry, 4));
      a = f32x4.add(a, f32x4.mul(w, v128.load(p)));
      b = f32x4.add(b, f32x4.mul(w, v128.load(p, 16)));
      c = f32x4.add(c, f32x4.mul(w, v128.load(p, 32)));
      d = f32x4.add(d, f32x4.mul(w, v128.load(p, 48)));
      e = f32x4.add(e, f32x4.mul(w, v128.load(p, 64)));
      f = f32x4.add(f, f32x4.mul(w, v128.load(p, 80)));
      g = f32x4.add(g, f32x4.mul(w, v128.load(p, 96)));
      h = f32x4.add(h, f32x4.mul(w, v128.load(p, 112)));
    }
    const to = out + at;
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
    v128.store(to, e, 64);
    v128.store(to, f, 80);
    v128.store(to, g, 96);
    v128.store(to, h, 112);
  }
}

// The same for numbers in bfloat16: sums are float32, rounded once at the end. Each vector holds 8 numbers, that are summed as
// two vectors of 4, those in lower and those in upper halves of its words: to put them in order would take longer than the sum.
export function meanBf16(table: usize, ranks: i32, out: usize, blocks: i32): void {
  const end = table + <usize>ranks * ENTRY;
  const upper = i32x4.splat(0xffff0000);
  for (let at: usize = 0, bytes = <usize>blocks * BLOCK * 2; at < bytes; at += BLOCK * 2) {
    let p = <usize>load<u32>(table) + at;
    let w = f32x4.splat(load<f32>(table, 4));
    let x = v128.load(p);
    let a = f32x4.mul(w, i32x4.shl(x, 16));
    let b = f32x4.mul(w, v128.and(x, upper));
    x = v128.load(p, 16);
    let c = f32x4.mul(w, i32x4.shl(x, 16));
    let d = f32x4.mul(w, v128.and(x, upper));
    x = v128.load(p, 32);
    let e = f32x4.mul(w, i32x4.shl(x, 16));
    let f = f32x4.mul(w, v128.and(x, upper));
    x = v128.load(p, 48);
    let g = f32x4.mul(w, i32x4.shl(x, 16));
    let h = f32x4.mul(w, v128.and(x, upper));
    for (let entry = table + ENTRY; entry < end; entry += ENTRY) {
      p = <usize>load<u32>(entry) + at;
      w = f32x4.splat(load<f32>(entry, 4));
      x = v128.load(p);
      a = f32x4.add(a, f32x4.mul(w, i32x4.shl(x, 16)));
      b = f32x4.add(b, f32x4.mul(w, v128.and(x, upper)));
      x = v128.load(p, 16);
      c = f32x4.add(c, f32x4.mul(w, i32x4.shl(x, 16)));
      d = f32x4.add(d, f32x4.mul(w, v128.and(x, upper)));
      x = v128.load(p, 32);
      e = f32x4.add(e, f32x4.mul(w, i32x4.shl(x, 16)));
      f = f32x4.add(f, f32x4.mul(w, v128.and(x, upper)));
      x = v128.load(p, 48);
      g = f32x4.add(g, f32x4.mul(w, i32x4.shl(x, 16)));
      h = f32x4.add(h, f32x4.mul(w, v128.and(x, upper)));
    }
    const to = out + at;
    v128.store(to, together(a, b));
    v128.store(to, together(c, d), 16);
    v128.store(to, together(e, f), 32);
    v128.store(to, together(g, h), 48);
  }
}

// float32 numbers at `from` to bfloat16 at `to`.
export function packBf16(from: usize, to: usize, blocks: i32): void {
  for (let end = from + <usize>blocks * BLOCK * 4; from < end; from += BLOCK * 4, to += BLOCK * 2) {
    v128.store(to, narrow(v128.load(from), v128.load(from, 16)));
    v128.store(to, narrow(v128.load(from, 32), v128.load(from, 48)), 16);
    v128.store(to, narrow(v128.load(from, 64), v128.load(from, 80)), 32);
    v128.store(to, narrow(v128.load(from, 96), v128.load(from, 112)), 48);
  }
}

// bfloat16 numbers at `from` to float32 at `to`.
export function unpackBf16(from: usize, to: usize, blocks: i32): void {
  for (let end = from + <usize>blocks * BLOCK * 2; from < end; from += 16, to += 32) {
    v128.store(to, i32x4.shl(v128.load16x4_u(from), 16));
    v128.store(to, i32x4.shl(v128.load16x4_u(from, 8), 16), 16);
  }
}

// 8 float32 numbers as bfloat16, in order.
function narrow(low: v128, high: v128): v128 {
  return i16x8.narrow_i32x4_u(i32x4.shr_u(round(low), 16), i32x4.shr_u(round(high), 16));
}

// 8 float32 numbers as bfloat16, in lower and upper halves by turns. For results of sums of bfloat16 numbers: what is not a
// number there has zeros in its lower half, as all processors keep the bits of an operand or make new ones, and stays what it is.
function together(low: v128, high: v128): v128 {
  return v128.or(i32x4.shr_u(nearest(low), 16), v128.and(nearest(high), i32x4.splat(0xffff0000)));
}

// `nearest` for any numbers: what is not one stays so, with the bits it has and the quiet bit.
function round(x: v128): v128 {
  return v128.bitselect(nearest(x), v128.or(x, i32x4.splat(0x400000)), f32x4.eq(x, x));
}

// 4 float32 numbers whose upper halves are the nearest bfloat16, ties to even.
function nearest(x: v128): v128 {
  const odd = v128.and(i32x4.shr_u(x, 16), i32x4.splat(1));
  return i32x4.add(i32x4.add(x, i32x4.splat(0x7fff)), odd);
}
