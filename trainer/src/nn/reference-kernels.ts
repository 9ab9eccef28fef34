// The layers' fused kernels in plain TensorFlow.js ops: for backends without a fused form, and the oracle for those with one.
import * as tf from '@tensorflow/tfjs-core';
import {
  FROZEN_BATCH_NORM,
  FROZEN_BATCH_NORM_GRAD,
  RELU_GRAD,
  TRAINING_BATCH_NORM,
  TRAINING_BATCH_NORM_GRAD,
} from './kernels.js';

/** Everything but the channels: a batch norm has one mean and one variance per channel. */
const PIXELS = [0, 1, 2];

type Kernel = (inputs: Record<string, tf.Tensor>, epsilon: number) => tf.Tensor | tf.Tensor[];

const KERNELS: Readonly<Record<string, Kernel>> = {
  /** Workspaces: the mean, 1 / deviation, and one that stays empty. */
  [TRAINING_BATCH_NORM]: ({ x, scale, offset }, epsilon) => {
    const count = x!.size / scale!.size;
    const mean = tf.mean(x!, PIXELS);
    const centred = tf.sub(x!, mean);
    const variance = tf.mean(tf.square(centred), PIXELS);
    const inverse = tf.rsqrt(tf.add(variance, epsilon));
    const y = tf.add(tf.mul(centred, tf.mul(inverse, scale!)), offset!);
    return [y, mean, tf.mul(variance, count / Math.max(1, count - 1)), tf.clone(mean), inverse, tf.scalar(0)];
  },

  /** Ioffe and Szegedy 2015, section 3, with the sums over pixels gathered into two means. */
  [TRAINING_BATCH_NORM_GRAD]: ({ dy, x, scale, saved1: mean, saved2: inverse }) => {
    const count = x!.size / scale!.size;
    const normalized = tf.mul(tf.sub(x!, mean!), inverse!);
    const doffset = tf.sum(dy!, PIXELS);
    const dscale = tf.sum(tf.mul(dy!, normalized), PIXELS);
    const shared = tf.add(tf.mul(normalized, tf.div(dscale, count)), tf.div(doffset, count));
    return [tf.mul(tf.sub(dy!, shared), tf.mul(scale!, inverse!)), dscale, doffset];
  },

  [FROZEN_BATCH_NORM]: ({ x, scale, offset, mean, variance }, epsilon) =>
    tf.add(tf.mul(tf.sub(x!, mean!), tf.mul(tf.rsqrt(tf.add(variance!, epsilon)), scale!)), offset!),

  [FROZEN_BATCH_NORM_GRAD]: ({ dy, x, scale, mean, variance }, epsilon) => {
    const inverse = tf.rsqrt(tf.add(variance!, epsilon));
    const dscale = tf.sum(tf.mul(dy!, tf.mul(tf.sub(x!, mean!), inverse)), PIXELS);
    return [tf.mul(dy!, tf.mul(scale!, inverse)), dscale, tf.sum(dy!, PIXELS)];
  },

  [RELU_GRAD]: ({ dy, y }) => tf.where(tf.greater(y!, 0), dy!, tf.zerosLike(dy!)),
};

/** Registers the kernels for a tfjs backend ('cpu', 'wasm'); repeated calls change nothing. */
export function registerReferenceKernels(backendName: string): void {
  for (const [kernelName, kernel] of Object.entries(KERNELS)) {
    if (tf.getKernel(kernelName, backendName)) continue;
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs }) =>
        tf.tidy(() => kernel(inputs as Record<string, tf.Tensor>, (attrs as { epsilon?: number } | undefined)?.epsilon ?? 0)),
    });
  }
}
