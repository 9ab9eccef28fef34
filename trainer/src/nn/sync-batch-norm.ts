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

/** x, scale, mean, biased variance. */
type Saved = [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];

interface GlobalStatistics {
  readonly mean: tf.Tensor1D;
  /** Divided by the number of pixels: what x is normalized by. */
  readonly biased: tf.Tensor1D;
  /** Divided by one less: what running averages are made of. */
  readonly unbiased: tf.Tensor1D;
}

export interface SyncOptions {
  /** How many ranks take part, each with at least one example. */
  readonly ranks: number;
  /** Of its gradient a rank computes this share at a time, the examples of this pass by its examples in all. Default: all. */
  readonly share?: tf.Scalar;
}

/**
 * `trainingBatchNorm` over the examples of all ranks' passes: the whole batch's results and statistics, and for x the gradient
 * that it has on one rank with all of the batch, where a rank's loss is the mean over its own examples (times `share`) and ranks'
 * gradients are averaged by their examples. Those of scale and offset are this rank's own: they are averaged like all others.
 * Three exchanges: of C + 1 and C values forward, of 2 C backward.
 */
export function syncBatchNorm(
  x: tf.Tensor4D,
  scale: tf.Tensor1D,
  offset: tf.Tensor1D,
  { ranks, share }: SyncOptions,
): NormalizedBatch {
  let statistics: tf.Tensor[] = [];
  const normalize = tf.customGrad((...args: unknown[]) => {
    const [xs, scales, offsets, save] = args as [tf.Tensor4D, tf.Tensor1D, tf.Tensor1D, Save];
    const { mean, biased, unbiased } = globalStatistics(xs, { scale: scales, offset: offsets, ranks });
    statistics = [tf.keep(mean), tf.keep(unbiased)];
    save([xs, scales, mean, biased]);
    return {
      value: kernel(FROZEN_BATCH_NORM, { x: xs, scale: scales, offset: offsets, mean, variance: biased })[0]!,
      gradFunc: ((dy: tf.Tensor4D, saved: Saved) => gradient(dy, saved, share)) as unknown as Gradient,
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
 * Ioffe and Szegedy 2015, section 3, whose means of dy and of dy * normalized are over the whole batch. Of a rank's n examples p are
 * in this pass, of all ranks' N are P: its dy is N / n times what it would be on one rank with all of them. It sends n / p times its
 * sums over pixels; weighted by p / P they arrive as sums of n / N times dy, N / P times over, and divided by n as on its own scale.
 */
function gradient(dy: tf.Tensor4D, [x, scale, mean, variance]: Saved, share: tf.Scalar = tf.scalar(1)): tf.Tensor[] {
  const [n, h, w, c] = x.shape;
  const [frozen, dscale, doffset] = kernel(FROZEN_BATCH_NORM_GRAD, { dy, x, scale, mean, variance }) as [
    tf.Tensor4D,
    tf.Tensor1D,
    tf.Tensor1D,
  ];
  const sums = hostExchange(tf.div(tf.concat1d([doffset, dscale]), tf.mul(share, h * w)) as tf.Tensor1D);
  // Of the sum below, to which batch norm of x by another scale and offset is the way of fewest passes.
  const inverse = tf.rsqrt(tf.add(variance, BATCH_NORM.epsilon));
  const factor = tf.mul(tf.mul(scale, inverse), tf.div(share, -n)) as tf.Tensor1D;
  const part = (at: number): tf.Tensor1D => tf.mul(tf.slice1d(sums, at, c), factor);
  const shared = kernel(FROZEN_BATCH_NORM, { x, scale: part(c), offset: part(0), mean, variance })[0]!;
  return [tf.add(frozen, shared), dscale, doffset];
}

function kernel(name: string, inputs: Record<string, tf.Tensor>): tf.Tensor[] {
  const result = tf.engine().runKernel(name, inputs, { epsilon: BATCH_NORM.epsilon }) as tf.Tensor | tf.Tensor[];
  return Array.isArray(result) ? result : [result];
}
