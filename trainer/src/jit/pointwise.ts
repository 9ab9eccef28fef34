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
  const seen = tf.stridedSlice(x, [0, 0, 0, 0], x.shape, [1, down, right, 1]);
  return original({ ...inputs, x: seen }, { ...attrs, strides: 1, pad: 'valid' });
};

export const POINTWISE_KERNELS: Readonly<Record<string, ReplacedKernel<Attributes>>> = { Conv2DBackpropFilter: filterGradient };
