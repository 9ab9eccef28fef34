// Gradient of a convolution by its filter as matrix products, one for each filter tap, without an im2col copy.
// N batch, H W pixels, I O channels, K filter side.
//
// dw[ky, kx] = sum over outputs p of x[s * p + k - pad]^T dy[p]. Once x stands channel by channel in a padded grid and dy in
// the same grid, a tap's shift is a constant distance in memory: row i of the left matrix begins `shift` floats later, so each
// product reads the same buffer through a shifted view. Where a view runs over a row's end, dy is zero. With stride s, x is
// split into s * s grids, one for each remainder of the position.
//
//   x, channel i:   . . . . . .      dy:  1 2 3 4 0 0     tap (1, 1) of a 3x3 filter: the view that begins
//                   . a b c d .           5 6 7 8 0 0     one row and one pixel later
import type * as tf from '@tensorflow/tfjs-core';
import { type ConvAttributes, type ConvSizes, convSizes } from './conv-geometry.js';
import { type BackendWasm, floats, makeZeros, release, runKernel, withView } from './heap.js';

/** The grid that both matrices are laid out in. */
interface Grid {
  readonly height: number;
  readonly width: number;
  /** Positions in all images. */
  readonly length: number;
  /** The farthest that a view is shifted. */
  readonly slack: number;
}

/** Kernel `Conv2DBackpropFilter`: x [N, H, W, I], dy [N, H', W', O] to dw [K, K, I, O]. */
export function convFilterGradient(
  backend: BackendWasm,
  inputs: { x: tf.TensorInfo; dy: tf.TensorInfo },
  attributes: ConvAttributes & { filterShape: number[] },
): tf.TensorInfo {
  const sizes = convSizes('Conv2DBackpropFilter', { input: inputs.x.shape, filter: attributes.filterShape }, attributes);
  const grid = gridOf(sizes);
  const dw = makeZeros(backend, attributes.filterShape);
  if (grid.length === 0) return dw;
  const dy = layOutGradient(backend, inputs.dy, sizes, grid);
  for (let row = 0; row < Math.min(sizes.strideHeight, sizes.filterHeight); row++) {
    for (let column = 0; column < Math.min(sizes.strideWidth, sizes.filterWidth); column++) {
      const x = layOutInput(backend, inputs.x, { sizes, grid, row, column });
      multiplyTaps(backend, { x, dy, dw, sizes, grid, row, column });
      release(backend, x);
    }
  }
  if (dy !== inputs.dy) release(backend, dy);
  return dw;
}

function gridOf(s: ConvSizes): Grid {
  const down = Math.floor((s.filterHeight - 1) / s.strideHeight);
  const right = Math.floor((s.filterWidth - 1) / s.strideWidth);
  const [height, width] = [s.outHeight + down, s.outWidth + right];
  return { height, width, length: s.batchSize * height * width, slack: down * width + right };
}

/** dy in the grid [N * height * width, O], zero where the grid has no output; as it is where they are one. */
function layOutGradient(backend: BackendWasm, dy: tf.TensorInfo, s: ConvSizes, grid: Grid): tf.TensorInfo {
  if (grid.slack === 0) return dy;
  const out = makeZeros(backend, [grid.length, s.outChannels]);
  const [from, to] = [floats(backend, dy), floats(backend, out)];
  const rowLength = s.outWidth * s.outChannels;
  for (let n = 0; n < s.batchSize; n++) {
    for (let y = 0; y < s.outHeight; y++) {
      const source = (n * s.outHeight + y) * rowLength;
      to.set(from.subarray(source, source + rowLength), (n * grid.height + y) * grid.width * s.outChannels);
    }
  }
  return out;
}

interface Phase {
  readonly sizes: ConvSizes;
  readonly grid: Grid;
  /** Remainder of the position by the stride. */
  readonly row: number;
  readonly column: number;
}

/** Every stride-th pixel of x from (row, column) on, as [I, N * height * width] and `slack` more; zero outside the image. */
function layOutInput(backend: BackendWasm, x: tf.TensorInfo, { sizes: s, grid, row, column }: Phase): tf.TensorInfo {
  const out = makeZeros(backend, [s.inChannels * grid.length + grid.slack]);
  const [from, to] = [floats(backend, x), floats(backend, out)];
  const [top, left] = [row - s.padInfo.top, column - s.padInfo.left];
  const first = Math.max(0, Math.ceil(-left / s.strideWidth));
  const end = Math.min(grid.width, Math.ceil((s.inWidth - left) / s.strideWidth));
  const pixel = s.strideWidth * s.inChannels;
  for (let n = 0; n < s.batchSize; n++) {
    for (let y = 0; y < grid.height; y++) {
      const sourceRow = y * s.strideHeight + top;
      if (sourceRow < 0 || sourceRow >= s.inHeight) continue;
      const source = ((n * s.inHeight + sourceRow) * s.inWidth + first * s.strideWidth + left) * s.inChannels;
      const target = (n * grid.height + y) * grid.width;
      for (let i = 0; i < s.inChannels; i++) {
        const base = i * grid.length + target;
        for (let p = first, at = source + i; p < end; p++, at += pixel) to[base + p] = from[at]!;
      }
    }
  }
  return out;
}

interface Operands extends Phase {
  readonly x: tf.TensorInfo;
  readonly dy: tf.TensorInfo;
  readonly dw: tf.TensorInfo;
}

/** All taps that this phase of x meets: dw[ky, kx] = x shifted [I, length] times dy [length, O]. */
function multiplyTaps(backend: BackendWasm, { x, dy, dw, sizes: s, grid, row, column }: Operands): void {
  const right: tf.TensorInfo = { ...dy, shape: [grid.length, s.outChannels] };
  for (let ky = row; ky < s.filterHeight; ky += s.strideHeight) {
    for (let kx = column; kx < s.filterWidth; kx += s.strideWidth) {
      const shift = ((ky - row) / s.strideHeight) * grid.width + (kx - column) / s.strideWidth;
      const product = withView(backend, x, shift, [s.inChannels, grid.length], (left) =>
        runKernel(backend, 'BatchMatMul', { a: left, b: right }, { transposeA: false, transposeB: false }),
      );
      floats(backend, dw).set(floats(backend, product), (ky * s.filterWidth + kx) * s.inChannels * s.outChannels);
      release(backend, product);
    }
  }
}
