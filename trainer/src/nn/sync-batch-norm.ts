// Batch norm over the batch of all ranks together: statistics, and the two sums of its gradient, are exchanged in the middle of the
// step. N examples of this rank, H W pixels, C channels.
//
// The host answers an exchange with the mean over ranks, weighted by their examples. So it is means over a rank's own examples that
// are sent: their weighted mean is the mean over all examples. Two exchanges forward rather than one of x and x^2, whose difference
// would lose the variance's digits wherever the mean is large (Chan, Golub and LeVeque 1983); one backward.
import * as tf from '@tensorflow/tfjs-core';
import { hostExchange } from '../jit/host-exchange.js';
import { FROZEN_BATCH_NORM, FROZEN_BATCH_NORM_GRAD, TRAINING_BATCH_NORM } from './kernels.js';
import { BATCH_NORM, type NormalizedBatch } from './ops.js';

/** What `tf.customGrad` hands its function besides the inputs. */
type Save = (tensors: tf.Tensor[]) => void;
type Gradient = (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor;

interface GlobalStatistics {
  readonly mean: tf.Tensor1D;
  /** Divided by the number of pixels: what x is normalized by. */
  readonly biased: tf.Tensor1D;
  /** Divided by one less: what running averages are made of. */
  readonly unbiased: tf.Tensor1D;
}

/**
 * `trainingBatchNorm` over the examples of `ranks` ranks, of which each has at least one: the whole batch's results and statistics,
 * and for x the gradient as it is on one rank with all of the batch, where the loss of each rank is the mean over its own examples
 * and ranks' gradients are averaged by their examples. Those of scale and offset are this rank's own: they are averaged like all
 * others. Three exchanges: of C + 1 and C values forward, of 2 C backward.
 */
export function syncBatchNorm(x: tf.Tensor4D, scale: tf.Tensor1D, offset: tf.Tensor1D, ranks: number): NormalizedBatch {
  let statistics: tf.Tensor[] = [];
  const normalize = tf.customGrad((...args: unknown[]) => {
    const [xs, scales, offsets, save] = args as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D, Save];
    const { mean, biased, unbiased } = globalStatistics(xs, { scale: scales, offset: offsets, ranks });
    statistics = [tf.keep(mean), tf.keep(unbiased)];
    save([xs, scales, mean, biased]);
    return {
      value: kernel(FROZEN_BATCH_NORM, { x: xs, scale: scales, offset: offsets, mean, variance: biased })[0]!,
      gradFunc: gradient as unknown as Gradient,
    };
  });
  const y = normalize(x, scale, offset) as tf.Tensor4D;
  const [mean, variance] = statistics as [tf.Tensor1D, tf.Tensor1D];
  return { y, mean, variance };
}

function globalStatistics(
  x: tf.Tensor4D,
  { scale, offset, ranks }: { scale: tf.Tensor1D; offset: tf.Tensor1D; ranks: number },
): GlobalStatistics {
  const [n, h, w, c] = x.shape;
  const pixels = n * h * w;
  // The fused kernel is the fastest way to a rank's own statistics; its y is of no use.
  const [, ownMean, ownVariance] = kernel(TRAINING_BATCH_NORM, { x, scale, offset }) as [tf.Tensor, tf.Tensor1D, tf.Tensor1D];
  const ownBiased = tf.mul(ownVariance, Math.max(1, pixels - 1) / pixels);
  // The weighted mean of 1/n is ranks / (examples of all), which is how a rank learns of the others' examples.
  const means = hostExchange(tf.concat1d([ownMean, tf.tensor1d([1 / n])]));
  const mean = tf.slice1d(means, 0, c);
  const count = tf.div(ranks * h * w, tf.slice1d(means, c, 1));
  const biased = hostExchange(tf.add(ownBiased, tf.square(tf.sub(ownMean, mean))) as tf.Tensor1D);
  const unbiased = tf.mul(biased, tf.div(count, tf.maximum(1, tf.sub(count, 1)))) as tf.Tensor1D;
  return { mean, biased, unbiased };
}

/**
 * Ioffe and Szegedy 2015, section 3, whose means of dy and of dy * normalized are over the whole batch. A rank's dy is N / n times
 * what it would be with all N examples on one rank; sent are sums over pixels, which the exchange weights by n / N, so that they
 * arrive as N times the means of that dy, and divided by n they are on this rank's scale again.
 */
function gradient(dy: tf.Tensor4D, [x, ...perChannel]: [tf.Tensor4D, ...tf.Tensor1D[]]): tf.Tensor[] {
  const [scale, mean, variance] = perChannel as [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
  const [n, h, w, c] = x.shape;
  const [frozen, dscale, doffset] = kernel(FROZEN_BATCH_NORM_GRAD, { dy, x, scale, mean, variance }) as [
    tf.Tensor4D,
    tf.Tensor1D,
    tf.Tensor1D,
  ];
  const sums = hostExchange(tf.mul(tf.concat1d([doffset, dscale]), 1 / (h * w)) as tf.Tensor1D);
  // Of the sum below, to which batch norm of x by another scale and offset is the way of fewest passes.
  const factor = tf.mul(scale, tf.mul(tf.rsqrt(tf.add(variance, BATCH_NORM.epsilon)), -1 / n)) as tf.Tensor1D;
  const part = (at: number): tf.Tensor1D => tf.mul(tf.slice1d(sums, at, c), factor);
  const shared = kernel(FROZEN_BATCH_NORM, { x, scale: part(c), offset: part(0), mean, variance })[0]!;
  return [tf.add(frozen, shared), dscale, doffset];
}

function kernel(name: string, inputs: Record<string, tf.Tensor>): tf.Tensor[] {
  const result = tf.engine().runKernel(name, inputs, { epsilon: BATCH_NORM.epsilon }) as tf.Tensor | tf.Tensor[];
  return Array.isArray(result) ? result : [result];
}
