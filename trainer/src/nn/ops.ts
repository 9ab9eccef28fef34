// The operations that layers are made of, with torchvision's arithmetic, so that weights transfer between the two.
// N batch, H W pixels, C I O channels, K kernel side.
import * as tf from '@tensorflow/tfjs-core';
import type { BatchStatistics } from './contract.js';
import { RELU_GRAD, TRAINING_BATCH_NORM, TRAINING_BATCH_NORM_GRAD } from './kernels.js';

/** torchvision's batch-norm constants: epsilon, and the share of the newest batch in the running statistics. */
export const BATCH_NORM = { epsilon: 1e-5, momentum: 0.1 } as const;

/** What `tf.customGrad` hands its function besides the inputs. */
type Save = (tensors: tf.Tensor[]) => void;
type Gradient = (dy: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor;

const kernel = (name: string, inputs: Record<string, tf.Tensor>, attributes: Record<string, number> = {}): tf.Tensor[] => {
  const result = tf.engine().runKernel(name, inputs, attributes) as tf.Tensor | tf.Tensor[];
  return Array.isArray(result) ? result : [result];
};

/**
 * Convolution of x [N, H, W, I] with w [K, K, I, O], padded by (K - 1) / 2 on both sides at any stride, as PyTorch pads.
 * 'same' padding does so at stride 1 only; at stride 2 it would pad right and bottom alone.
 */
export function conv2d(x: tf.Tensor4D, w: tf.Tensor4D, stride: number): tf.Tensor4D {
  const pad = (w.shape[0] - 1) / 2;
  if (stride === 1) return tf.conv2d(x, w, 1, 'same');
  const padded =
    pad === 0
      ? x
      : tf.pad(x, [
          [0, 0],
          [pad, pad],
          [pad, pad],
          [0, 0],
        ]);
  return tf.conv2d(padded, w, stride, 'valid');
}

/** The caller disposes of the statistics: they are what running averages are made of. */
export interface NormalizedBatch extends BatchStatistics {
  readonly y: tf.Tensor4D;
}

/** Batch norm in training: x [N, H, W, C] normalized by its own statistics, then scaled and shifted by scale, offset [C]. */
export function trainingBatchNorm(x: tf.Tensor4D, scale: tf.Tensor1D, offset: tf.Tensor1D): NormalizedBatch {
  const { epsilon } = BATCH_NORM;
  let statistics: tf.Tensor[] = [];
  const normalize = tf.customGrad((...args: unknown[]) => {
    const [xs, scales, offsets, save] = args as [tf.Tensor, tf.Tensor, tf.Tensor, Save];
    const [y, mean, variance, ...saved] = kernel(TRAINING_BATCH_NORM, { x: xs, scale: scales, offset: offsets }, { epsilon });
    statistics = [tf.keep(mean!), tf.keep(variance!)];
    save([xs, scales, ...saved]);
    const gradFunc = (dy: tf.Tensor, [sx, ss, saved1, saved2, saved3]: tf.Tensor[]): tf.Tensor[] =>
      kernel(
        TRAINING_BATCH_NORM_GRAD,
        { dy, x: sx!, scale: ss!, saved1: saved1!, saved2: saved2!, saved3: saved3! },
        { epsilon },
      );
    return { value: y!, gradFunc: gradFunc as unknown as Gradient };
  });
  const y = normalize(x, scale, offset) as tf.Tensor4D;
  const [mean, variance] = statistics as [tf.Tensor1D, tf.Tensor1D];
  return { y, mean, variance };
}

/** max(x, 0) with a gradient of one op. */
export function relu<T extends tf.Tensor>(x: T): T {
  const activate = tf.customGrad((...args: unknown[]) => {
    const [xs, save] = args as [tf.Tensor, Save];
    const [y] = kernel('Relu', { x: xs });
    save([y!]);
    return { value: y!, gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => kernel(RELU_GRAD, { dy, y: saved! })[0]! };
  });
  return activate(x) as T;
}

/** Mean over all pixels: x [N, H, W, C] to [N, C]. Its gradient is spread evenly by one broadcast. */
export function globalAveragePool(x: tf.Tensor4D): tf.Tensor2D {
  const [n, h, w, c] = x.shape;
  const pool = tf.customGrad((...args: unknown[]) => {
    const [xs] = args as [tf.Tensor4D];
    const gradFunc = (dy: tf.Tensor) => tf.broadcastTo(tf.reshape(tf.mul(dy, 1 / (h * w)), [n, 1, 1, c]), [n, h, w, c]);
    return { value: tf.mean(xs, [1, 2]), gradFunc };
  });
  return pool(x) as tf.Tensor2D;
}

/**
 * Every second pixel of both axes, from the first: what a 1x1 convolution of stride 2 sees. x [N, H, W, C] to
 * [N, ceil(H / 2), ceil(W / 2), C]. The gradient is ours because TensorFlow.js has none for strided slices.
 */
export function everySecondPixel(x: tf.Tensor4D): tf.Tensor4D {
  const [n, h, w, c] = x.shape;
  const [rows, columns] = [Math.ceil(h / 2), Math.ceil(w / 2)];
  const subsample = tf.customGrad((...args: unknown[]) => {
    const [xs] = args as [tf.Tensor4D];
    // Each pixel [1, 1, C] becomes a square [2, 2, C] with zeros right and below; an odd side then loses its last zeros.
    const gradFunc = (dy: tf.Tensor): tf.Tensor => {
      const pixels = tf.reshape(dy, [n * rows, 1, columns, 1, c]);
      const squares = tf.pad(pixels, [
        [0, 0],
        [0, 1],
        [0, 0],
        [0, 1],
        [0, 0],
      ]);
      const image = tf.reshape(squares, [n, 2 * rows, 2 * columns, c]);
      return h % 2 === 0 && w % 2 === 0 ? image : tf.slice(image, [0, 0, 0, 0], [n, h, w, c]);
    };
    return { value: tf.stridedSlice(xs, [0, 0, 0, 0], [n, h, w, c], [1, 2, 2, 1]), gradFunc };
  });
  return subsample(x) as tf.Tensor4D;
}
