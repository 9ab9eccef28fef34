// Gradients of a depthwise convolution as loops over the heap.
// N batch, H W pixels, I input channels, M outputs of each, K filter side; output channel = i * M + m.
import type * as tf from '@tensorflow/tfjs-core';
import { type ConvAttributes, type ConvSizes, convSizes } from './conv-geometry.js';
import { type BackendWasm, floats, makeZeros } from './heap.js';

/** Kernel `DepthwiseConv2dNativeBackpropFilter`: x [N, H, W, I], dy [N, H', W', I * M] to dw [K, K, I, M]. */
export function depthwiseFilterGradient(
  backend: BackendWasm,
  inputs: { x: tf.TensorInfo; dy: tf.TensorInfo },
  attributes: ConvAttributes & { filterShape: number[] },
): tf.TensorInfo {
  const shapes = { input: inputs.x.shape, filter: attributes.filterShape, depthwise: true };
  const sizes = convSizes('DepthwiseConv2dNativeBackpropFilter', shapes, attributes);
  const out = makeZeros(backend, attributes.filterShape);
  const [x, dy, dw] = [floats(backend, inputs.x), floats(backend, inputs.dy), floats(backend, out)];
  const multiplier = sizes.outChannels / sizes.inChannels;
  // Sums of many terms: kept in double precision, one tap at a time.
  const sums = new Float64Array(sizes.outChannels);
  for (let tap = 0; tap < sizes.filterHeight * sizes.filterWidth; tap++) {
    sums.fill(0);
    visit(sizes, tap, (pixel, output) => {
      for (let i = 0, o = 0; i < sizes.inChannels; i++) {
        const value = x[pixel + i]!;
        for (let m = 0; m < multiplier; m++, o++) sums[o] = sums[o]! + value * dy[output + o]!;
      }
    });
    dw.set(sums, tap * sizes.outChannels);
  }
  return out;
}

/** Kernel `DepthwiseConv2dNativeBackpropInput`: dy [N, H', W', I * M], filter [K, K, I, M] to dx [N, H, W, I]. */
export function depthwiseInputGradient(
  backend: BackendWasm,
  inputs: { dy: tf.TensorInfo; filter: tf.TensorInfo },
  attributes: ConvAttributes & { inputShape: number[] },
): tf.TensorInfo {
  const shapes = { input: attributes.inputShape, filter: inputs.filter.shape, depthwise: true };
  const sizes = convSizes('DepthwiseConv2dNativeBackpropInput', shapes, attributes);
  const out = makeZeros(backend, attributes.inputShape);
  const [dy, w, dx] = [floats(backend, inputs.dy), floats(backend, inputs.filter), floats(backend, out)];
  const multiplier = sizes.outChannels / sizes.inChannels;
  for (let tap = 0; tap < sizes.filterHeight * sizes.filterWidth; tap++) {
    const taps = w.subarray(tap * sizes.outChannels, (tap + 1) * sizes.outChannels);
    visit(sizes, tap, (pixel, output) => {
      for (let i = 0, o = 0; i < sizes.inChannels; i++) {
        let sum = dx[pixel + i]!;
        for (let m = 0; m < multiplier; m++, o++) sum += taps[o]! * dy[output + o]!;
        dx[pixel + i] = sum;
      }
    });
  }
  return out;
}

/** Calls `meet` with the place in x and in dy of each pair of pixels that a filter tap joins. */
function visit(s: ConvSizes, tap: number, meet: (pixel: number, output: number) => void): void {
  const top = Math.floor(tap / s.filterWidth) - s.padInfo.top;
  const left = (tap % s.filterWidth) - s.padInfo.left;
  for (let n = 0; n < s.batchSize; n++) {
    for (let oy = 0; oy < s.outHeight; oy++) {
      const y = oy * s.strideHeight + top;
      if (y < 0 || y >= s.inHeight) continue;
      for (let ox = 0; ox < s.outWidth; ox++) {
        const x = ox * s.strideWidth + left;
        if (x < 0 || x >= s.inWidth) continue;
        meet(((n * s.inHeight + y) * s.inWidth + x) * s.inChannels, ((n * s.outHeight + oy) * s.outWidth + ox) * s.outChannels);
      }
    }
  }
}
