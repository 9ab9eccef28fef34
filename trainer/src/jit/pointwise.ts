// Filter gradients of 1x1 convolutions with a stride, as those of the pixels that they see, at stride 1.
//
// On CPUs TensorFlow 2.21's own kernel writes past the end of its memory there when a batch is odd and channels are few
// (x [1, 16, 16, 4] to 8 channels at stride 2: the heap is damaged within some hundred runs).
import * as tf from '@tensorflow/tfjs-core';
import type { ReplacedKernel } from './replace.js';

interface Attributes {
  readonly strides: number | [number, number];
  readonly pad: unknown;
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly filterShape: readonly number[];
}

const filterGradient: ReplacedKernel<Attributes> = ({ inputs, attrs, original }) => {
  const { strides, filterShape, dataFormat = 'NHWC' } = attrs;
  const [down, right] = typeof strides === 'number' ? [strides, strides] : strides;
  const isPointwise = filterShape[0] === 1 && filterShape[1] === 1;
  if (!isPointwise || down * right === 1 || dataFormat !== 'NHWC') return original(inputs, attrs);
  const x = inputs['x'] as tf.Tensor;
  return original({ ...inputs, x: everyNth(x, down, right) }, { ...attrs, strides: 1, pad: 'valid' });
};

/** Every so many rows and columns of [N, H, W, C], from the first. Slices copy whole pixels, strided slices number by number. */
function everyNth(x: tf.Tensor, down: number, right: number): tf.Tensor {
  const [n, height, width, channels] = x.shape as [number, number, number, number];
  if (height % down !== 0 || width % right !== 0) return tf.stridedSlice(x, [0, 0, 0, 0], x.shape, [1, down, right, 1]);
  const [rows, columns] = [height / down, width / right];
  const cells = tf.reshape(x, [n * rows, down, columns, right * channels]);
  return tf.reshape(tf.slice(cells, [0, 0, 0, 0], [n * rows, 1, columns, channels]), [n, rows, columns, channels]);
}

export const POINTWISE_KERNELS: Readonly<Record<string, ReplacedKernel<Attributes>>> = { Conv2DBackpropFilter: filterGradient };
