import { expect, test } from 'vitest';
import { compileKernel, instantiateKernel } from './kernel.js';

const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
const kernel = instantiateKernel(compileKernel(), memory);
const [FROM, TO] = [65_536, 393_216];
const wide = (at: number, length: number) => new Uint32Array(memory.buffer, at, length);
const narrow = (at: number, length: number) => new Uint16Array(memory.buffer, at, length);

function packed(...values: number[]): number[] {
  new Float32Array(memory.buffer, FROM, values.length).set(values);
  kernel.packBf16(FROM, TO, 1);
  return Array.from(narrow(TO, values.length));
}

test('every bfloat16 comes back from float32 as it was; what is no number stays so, and becomes quiet', () => {
  const all = narrow(FROM, 65_536);
  all.forEach((_, bits) => {
    all[bits] = bits;
  });
  kernel.unpackBf16(FROM, TO, 65_536 / 32);
  expect(wide(TO, 65_536).every((bits, i) => bits === i * 65_536)).toBe(true);
  kernel.packBf16(TO, FROM, 65_536 / 32);
  const isNumber = (bits: number): boolean => (bits & 0x7fff) <= 0x7f80;
  const changed = Array.from(narrow(FROM, 65_536).entries()).filter(
    ([bits, back]) => back !== (isNumber(bits) ? bits : bits | 0x40),
  );
  expect(changed).toEqual([]);
});

test('float32 is rounded to the nearest bfloat16, ties to even, and to infinity beyond the largest', () => {
  const ulp = 2 ** -7;
  expect(packed(1 + ulp / 2, 1 + (3 * ulp) / 2, 1 + ulp / 2 + 2 ** -20, 1 + ulp / 2 - 2 ** -20, -(1 + ulp / 2))).toEqual([
    0x3f80, 0x3f82, 0x3f81, 0x3f80, 0xbf80,
  ]);
  expect(packed(3.4028234663852886e38, Number.POSITIVE_INFINITY, -0, 2 ** -149)).toEqual([0x7f80, 0x7f80, 0x8000, 0]);
});

test('bits that are no number in their lower half alone are still none', () => {
  wide(FROM, 2).set([0x7f800001, 0xffffffff]);
  kernel.packBf16(FROM, TO, 1);
  expect(Array.from(narrow(TO, 2))).toEqual([0x7fc0, 0xffff]);
});
