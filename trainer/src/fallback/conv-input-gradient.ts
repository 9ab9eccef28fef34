// Gradient of a convolution by its input as forward convolutions of dy: TensorFlow.js' own kernel for it is ten times slower.
// N batch, H W pixels, I O channels, K filter side, S stride.
//
// An input position j (counted from the padding's corner) meets the filter taps k with (j - k) divisible by S. So positions of
// the same remainder form a grid that is dy convolved, at stride 1, with those taps in reverse: S * S small convolutions whose
// outputs interlock. At stride 1 there is one, and its output is the gradient.
import type * as tf from '@tensorflow/tfjs-core';
import { type ConvAttributes, type ConvSizes, convSizes } from './conv-geometry.js';
import { type BackendWasm, floats, makeOutput, makeZeros, release, runKernel } from './heap.js';

/** One axis of the input as one convolution sees it. */
interface Geometry {
  readonly stride: number;
  /** Filter taps, padding in front, input positions and output positions along the axis. */
  readonly filter: number;
  readonly pad: number;
  readonly size: number;
  readonly outputs: number;
}

/** The grid positions m of one remainder: the input's position stride * m + phase - pad. */
interface Axis extends Geometry {
  readonly phase: number;
  readonly taps: number;
  /** The grid positions that lie in the image. */
  readonly first: number;
  readonly count: number;
  /** The grid positions that the convolution computes with this padding around dy; they include the former. */
  readonly from: number;
  readonly computed: number;
  readonly before: number;
  readonly after: number;
}

interface Plane {
  readonly sizes: ConvSizes;
  readonly row: Axis;
  readonly column: Axis;
}

/** Kernel `Conv2DBackpropInput`: dy [N, H', W', O], filter [K, K, I, O] to dx [N, H, W, I]. */
export function convInputGradient(
  backend: BackendWasm,
  inputs: { dy: tf.TensorInfo; filter: tf.TensorInfo },
  attributes: ConvAttributes & { inputShape: number[] },
): tf.TensorInfo {
  const sizes = convSizes('Conv2DBackpropInput', { input: attributes.inputShape, filter: inputs.filter.shape }, attributes);
  if (sizes.outHeight * sizes.outWidth * sizes.batchSize === 0) return makeZeros(backend, attributes.inputShape);
  const { padInfo: pad, inHeight, inWidth, outHeight, outWidth } = sizes;
  const rows = axes({ stride: sizes.strideHeight, filter: sizes.filterHeight, pad: pad.top, size: inHeight, outputs: outHeight });
  const columns = axes({ stride: sizes.strideWidth, filter: sizes.filterWidth, pad: pad.left, size: inWidth, outputs: outWidth });
  const planes = rows.flatMap((row) => columns.map((column): Plane => ({ sizes, row, column })));
  if (planes.length === 1 && isWhole(planes[0]!.row) && isWhole(planes[0]!.column)) return convolve(backend, inputs, planes[0]!);
  const dx = makeZeros(backend, attributes.inputShape);
  for (const plane of planes) {
    const part = convolve(backend, inputs, plane);
    interlock(floats(backend, part), floats(backend, dx), plane);
    release(backend, part);
  }
  return dx;
}

const isWhole = ({ stride, first, count, from, computed }: Axis): boolean => stride === 1 && from === first && computed === count;

/** One axis for each remainder that meets a filter tap and lies in the image. */
function axes(geometry: Geometry): Axis[] {
  const { stride, filter, pad, size, outputs } = geometry;
  const all = Array.from({ length: Math.min(stride, filter) }, (_, phase): Axis => {
    const taps = Math.ceil((filter - phase) / stride);
    const first = Math.ceil((pad - phase) / stride);
    const last = Math.floor((pad + size - 1 - phase) / stride);
    const before = Math.max(0, taps - 1 - first);
    const after = Math.max(0, last - (outputs - 1));
    const computed = before + outputs + after - taps + 1;
    return { ...geometry, phase, taps, first, count: last - first + 1, from: taps - 1 - before, computed, before, after };
  });
  return all.filter((axis) => axis.count > 0);
}

/** dy convolved with the taps of one remainder: [N, row.computed, column.computed, I]. */
function convolve(
  backend: BackendWasm,
  { dy, filter }: { dy: tf.TensorInfo; filter: tf.TensorInfo },
  { row, column, sizes }: Plane,
): tf.TensorInfo {
  const taps = makeOutput(backend, [row.taps, column.taps, sizes.outChannels, sizes.inChannels]);
  reverseTaps(floats(backend, filter), floats(backend, taps), { row, column, sizes });
  const pad = [
    [0, 0],
    [row.before, row.after],
    [column.before, column.after],
    [0, 0],
  ];
  const attributes = { strides: [1, 1], pad, dilations: [1, 1], dataFormat: 'NHWC' };
  const out = runKernel(backend, 'Conv2D', { x: dy, filter: taps }, attributes);
  release(backend, taps);
  return out;
}

/** The filter's taps of one remainder, last first, with inputs and outputs exchanged. */
function reverseTaps(from: Float32Array, to: Float32Array, { row, column, sizes: s }: Plane): void {
  const [inputs, outputs] = [s.inChannels, s.outChannels];
  let at = 0;
  for (let y = row.taps - 1; y >= 0; y--) {
    for (let x = column.taps - 1; x >= 0; x--) {
      const tap = ((row.phase + y * row.stride) * s.filterWidth + column.phase + x * column.stride) * inputs * outputs;
      for (let o = 0; o < outputs; o++) {
        for (let i = 0; i < inputs; i++) to[at++] = from[tap + i * outputs + o]!;
      }
    }
  }
}

/** Writes one grid's gradients to their places in dx. */
function interlock(part: Float32Array, dx: Float32Array, { row, column, sizes: s }: Plane): void {
  const channels = s.inChannels;
  for (let n = 0; n < s.batchSize; n++) {
    for (let y = 0; y < row.count; y++) {
      const source = ((n * row.computed + row.first - row.from + y) * column.computed + column.first - column.from) * channels;
      const target = (n * s.inHeight + position(row, y)) * s.inWidth;
      for (let x = 0; x < column.count; x++) {
        const [from, to] = [source + x * channels, (target + position(column, x)) * channels];
        for (let c = 0; c < channels; c++) dx[to + c] = part[from + c]!;
      }
    }
  }
}

const position = ({ stride, first, phase, pad }: Axis, index: number): number => stride * (first + index) + phase - pad;
