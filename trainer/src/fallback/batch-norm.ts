// The layers' fused kernels as single passes over the heap; a composition of tfjs ops takes five times as many.
// x [N, H, W, C] is seen as [rows, C].
import type * as tf from '@tensorflow/tfjs-core';
import { channelSums, combine, type Term } from './channel-loops.js';
import { type BackendWasm, floats, makeOutput, words } from './heap.js';

type Inputs<K extends string> = Readonly<Record<K, tf.TensorInfo>>;

/**
 * Kernel `TrainingBatchNorm`: x [N, H, W, C], scale, offset [C] to y, mean, unbiased variance, and as workspaces the mean,
 * 1 / deviation and an empty one. Sums are kept in double precision, so the variance may be taken in the same pass.
 */
export function trainingBatchNorm(
  backend: BackendWasm,
  inputs: Inputs<'x' | 'scale' | 'offset'>,
  { epsilon }: { epsilon: number },
): tf.TensorInfo[] {
  const channels = inputs.scale.shape[0]!;
  const y = makeOutput(backend, inputs.x.shape);
  const perChannel = Array.from({ length: 4 }, () => makeOutput(backend, [channels])) as [
    tf.TensorInfo,
    tf.TensorInfo,
    tf.TensorInfo,
    tf.TensorInfo,
  ];
  const none = makeOutput(backend, [0]);
  const [x, out] = [floats(backend, inputs.x), floats(backend, y)];
  const [scale, offset] = [floats(backend, inputs.scale), floats(backend, inputs.offset)];
  const [mean, variance, savedMean, inverse] = perChannel.map((t) => floats(backend, t)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const count = x.length / channels;
  const { sums, products } = channelSums(x, x, channels);
  const [factor, shift] = [new Float64Array(channels), new Float64Array(channels)];
  for (let c = 0; c < channels; c++) {
    const m = sums[c]! / count;
    const biased = Math.max(0, products[c]! / count - m * m);
    const inv = 1 / Math.sqrt(biased + epsilon);
    mean[c] = m;
    savedMean[c] = m;
    variance[c] = (biased * count) / Math.max(1, count - 1);
    inverse[c] = inv;
    factor[c] = scale[c]! * inv;
    shift[c] = offset[c]! - m * factor[c]!;
  }
  combine(out, [{ values: x, factor }], shift);
  return [y, ...perChannel, none];
}

/**
 * Kernel `TrainingBatchNormGrad`: dy, x, scale and the workspaces to dx, dscale, doffset (Ioffe and Szegedy 2015, section 3):
 * with n = (x - mean) / deviation, dx = scale / deviation * (dy - mean(dy) - n * mean(dy * n)), which is linear in dy and x.
 */
export function trainingBatchNormGradient(
  backend: BackendWasm,
  inputs: Inputs<'dy' | 'x' | 'scale' | 'saved1' | 'saved2'>,
): tf.TensorInfo[] {
  const channels = inputs.scale.shape[0]!;
  const outputs = [makeOutput(backend, inputs.x.shape), makeOutput(backend, [channels]), makeOutput(backend, [channels])];
  const [dx, dscale, doffset] = outputs.map((t) => floats(backend, t)) as [Float32Array, Float32Array, Float32Array];
  const [dy, x, scale] = [floats(backend, inputs.dy), floats(backend, inputs.x), floats(backend, inputs.scale)];
  const [mean, inverse] = [floats(backend, inputs.saved1), floats(backend, inputs.saved2)];
  const count = x.length / channels;
  const { sums, products } = channelSums(dy, x, channels);
  const [ofDy, ofX, constant] = [new Float64Array(channels), new Float64Array(channels), new Float64Array(channels)];
  for (let c = 0; c < channels; c++) {
    const [m, inv] = [mean[c]!, inverse[c]!];
    const gradient = (products[c]! - m * sums[c]!) * inv;
    dscale[c] = gradient;
    doffset[c] = sums[c]!;
    ofDy[c] = scale[c]! * inv;
    ofX[c] = (-ofDy[c]! * inv * gradient) / count;
    constant[c] = (-ofDy[c]! * sums[c]!) / count - ofX[c]! * m;
  }
  const terms: [Term, Term] = [
    { values: dy, factor: ofDy },
    { values: x, factor: ofX },
  ];
  combine(dx, terms, constant);
  return outputs;
}

/** Kernel `FrozenBatchNorm`: x, scale, offset, mean, variance to y, which is linear in x. */
export function frozenBatchNorm(
  backend: BackendWasm,
  inputs: Inputs<'x' | 'scale' | 'offset' | 'mean' | 'variance'>,
  { epsilon }: { epsilon: number },
): tf.TensorInfo {
  const y = makeOutput(backend, inputs.x.shape);
  const [scale, offset, mean] = [inputs.scale, inputs.offset, inputs.mean].map((t) => floats(backend, t)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const factor = inverseDeviation(backend, inputs.variance, epsilon).map((inv, c) => inv * scale[c]!);
  const shift = factor.map((f, c) => offset[c]! - mean[c]! * f);
  combine(floats(backend, y), [{ values: floats(backend, inputs.x), factor }], shift);
  return y;
}

/** Kernel `FrozenBatchNormGrad`: dy, x, scale, mean, variance to dx, dscale, doffset; with fixed statistics dx is dy, scaled. */
export function frozenBatchNormGradient(
  backend: BackendWasm,
  inputs: Inputs<'dy' | 'x' | 'scale' | 'mean' | 'variance'>,
  { epsilon }: { epsilon: number },
): tf.TensorInfo[] {
  const channels = inputs.scale.shape[0]!;
  const outputs = [makeOutput(backend, inputs.x.shape), makeOutput(backend, [channels]), makeOutput(backend, [channels])];
  const [dx, dscale, doffset] = outputs.map((t) => floats(backend, t)) as [Float32Array, Float32Array, Float32Array];
  const [dy, scale, mean] = [floats(backend, inputs.dy), floats(backend, inputs.scale), floats(backend, inputs.mean)];
  const inverse = inverseDeviation(backend, inputs.variance, epsilon);
  const { sums, products } = channelSums(dy, floats(backend, inputs.x), channels);
  for (let c = 0; c < channels; c++) {
    dscale[c] = (products[c]! - mean[c]! * sums[c]!) * inverse[c]!;
    doffset[c] = sums[c]!;
  }
  combine(dx, [{ values: dy, factor: inverse.map((inv, c) => inv * scale[c]!) }], new Float64Array(channels));
  return outputs;
}

const inverseDeviation = (backend: BackendWasm, variance: tf.TensorInfo, epsilon: number): Float64Array =>
  Float64Array.from(floats(backend, variance), (v) => 1 / Math.sqrt(v + epsilon));

/**
 * Kernel `ReluGradFromOutput`: dy where y > 0, else 0. On the bits, since a branch that depends on an image's pixels is guessed
 * wrong half the time: y > 0 where its word is a positive integer, which only `-word & ~word` turns into a sign.
 */
export function reluGradient(backend: BackendWasm, inputs: Inputs<'dy' | 'y'>): tf.TensorInfo {
  const out = makeOutput(backend, inputs.dy.shape);
  const [dy, y, dx] = [words(backend, inputs.dy), words(backend, inputs.y), words(backend, out)];
  for (let i = 0; i < dx.length; i++) {
    const word = y[i]!;
    dx[i] = dy[i]! & ((-word & ~word) >> 31);
  }
  return out;
}
