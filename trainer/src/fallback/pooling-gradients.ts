// Gradients of pooling as loops over the heap. TensorFlow.js' own give wrong values for maxima and for windows that reach into
// the padding. x [N, H, W, C], dy [N, H', W', C].

import type * as tf from '@tensorflow/tfjs-core';
import { backend_util } from '@tensorflow/tfjs-core';
import type { ConvAttributes } from './conv-geometry.js';
import { type BackendWasm, floats, makeZeros } from './heap.js';

interface PoolAttributes extends Pick<ConvAttributes, 'strides' | 'pad' | 'dimRoundingMode'> {
  readonly filterSize: [number, number] | number;
}

/** Kernel `MaxPoolGrad`: dy goes to the first of a window's largest values, as in the other backends. */
export function maxPoolGradient(
  backend: BackendWasm,
  inputs: { dy: tf.TensorInfo; input: tf.TensorInfo },
  attributes: PoolAttributes,
): tf.TensorInfo {
  const out = makeZeros(backend, inputs.input.shape);
  const [dy, x, dx] = [floats(backend, inputs.dy), floats(backend, inputs.input), floats(backend, out)];
  const { channels, visit } = windows(inputs.input.shape, attributes);
  visit((output, pixels) => {
    for (let c = 0; c < channels; c++) {
      let largest = pixels[0]! + c;
      for (const pixel of pixels) if (x[pixel + c]! > x[largest]!) largest = pixel + c;
      dx[largest] = dx[largest]! + dy[output + c]!;
    }
  });
  return out;
}

/** Kernel `AvgPoolGrad`: dy is shared by the pixels of a window, padding left out as in the forward pass. */
export function averagePoolGradient(
  backend: BackendWasm,
  inputs: { dy: tf.TensorInfo; input: tf.TensorInfo },
  attributes: PoolAttributes,
): tf.TensorInfo {
  const out = makeZeros(backend, inputs.input.shape);
  const [dy, dx] = [floats(backend, inputs.dy), floats(backend, out)];
  const { channels, visit } = windows(inputs.input.shape, attributes);
  visit((output, pixels) => {
    for (const pixel of pixels) {
      for (let c = 0; c < channels; c++) dx[pixel + c] = dx[pixel + c]! + dy[output + c]! / pixels.length;
    }
  });
  return out;
}

/** Calls back with each window: the place of its output, and those of its pixels inside the image, row by row. */
type Visit = (meet: (output: number, pixels: readonly number[]) => void) => void;

function windows(shape: readonly number[], attributes: PoolAttributes): { channels: number; visit: Visit } {
  const { filterSize, strides, pad, dimRoundingMode } = attributes;
  const shape4D = [...shape] as [number, number, number, number];
  const s = backend_util.computePool2DInfo(shape4D, filterSize, strides, 1, pad, dimRoundingMode);
  const channels = s.inChannels;
  const visit: Visit = (meet) => {
    let output = 0;
    for (let n = 0; n < s.batchSize; n++) {
      for (let row = 0; row < s.outHeight; row++) {
        const ys = inside(row * s.strideHeight - s.padInfo.top, s.filterHeight, s.inHeight);
        for (let column = 0; column < s.outWidth; column++, output += channels) {
          const xs = inside(column * s.strideWidth - s.padInfo.left, s.filterWidth, s.inWidth);
          meet(
            output,
            ys.flatMap((y) => xs.map((x) => ((n * s.inHeight + y) * s.inWidth + x) * channels)),
          );
        }
      }
    }
  };
  return { channels, visit };
}

/** The positions from `start` on that lie in an axis of `size`. */
const inside = (start: number, length: number, size: number): number[] =>
  Array.from({ length }, (_, i) => start + i).filter((position) => position >= 0 && position < size);
