// Convolutions, pooling and normalization. Images are NHWC, filters [height, width, in, out].
import * as tf from '@tensorflow/tfjs-core';
import { type AnyTensor, type ConformanceCase, floats, op, positive, real, tied } from './case.js';

// TensorFlow.js has no gradient of dilated convolutions.
const DILATED = { gradient: 'none' } as const;

const conv2d: ConformanceCase[] = [
  op('conv2d 1x1', { x: real(2, 5, 7, 3), w: real(1, 1, 3, 4) }, ({ x, w }) => tf.conv2d(x, w, 1, 'same')),
  op('conv2d 1x1, stride 2', { x: real(2, 7, 7, 3), w: real(1, 1, 3, 4) }, ({ x, w }) => tf.conv2d(x, w, 2, 'valid')),
  op('conv2d 1x1, stride 2, even sides', { x: real(3, 8, 6, 3), w: real(1, 1, 3, 4) }, ({ x, w }) => tf.conv2d(x, w, 2, 'valid')),
  op('conv2d 3x3 same', { x: real(2, 5, 7, 3), w: real(3, 3, 3, 4) }, ({ x, w }) => tf.conv2d(x, w, 1, 'same')),
  op('conv2d 3x3 valid', { x: real(2, 5, 7, 3), w: real(3, 3, 3, 4) }, ({ x, w }) => tf.conv2d(x, w, 1, 'valid')),
  op('conv2d 5x5 same', { x: real(1, 9, 8, 2), w: real(5, 5, 2, 3) }, ({ x, w }) => tf.conv2d(x, w, 1, 'same')),
  op('conv2d 2x2 same', { x: real(2, 5, 6, 2), w: real(2, 2, 2, 3) }, ({ x, w }) => tf.conv2d(x, w, 1, 'same')),
  op('conv2d 1x3', { x: real(2, 5, 6, 2), w: real(1, 3, 2, 3) }, ({ x, w }) => tf.conv2d(x, w, 1, 'same')),
  op('conv2d as large as the image', { x: real(2, 4, 4, 3), w: real(4, 4, 3, 5) }, ({ x, w }) => tf.conv2d(x, w, 1, 'valid')),
  op('conv2d same, stride 2, even size', { x: real(2, 8, 6, 3), w: real(3, 3, 3, 4) }, ({ x, w }) => tf.conv2d(x, w, 2, 'same')),
  op('conv2d same, stride 2, odd size', { x: real(2, 7, 9, 3), w: real(3, 3, 3, 4) }, ({ x, w }) => tf.conv2d(x, w, 2, 'same')),
  op('conv2d valid, stride 2', { x: real(2, 8, 9, 3), w: real(3, 3, 3, 4) }, ({ x, w }) => tf.conv2d(x, w, 2, 'valid')),
  op('conv2d, strides 3 and 2', { x: real(1, 10, 9, 2), w: real(3, 3, 2, 2) }, ({ x, w }) => tf.conv2d(x, w, [3, 2], 'same')),
  op('conv2d, padding 1', { x: real(2, 5, 6, 2), w: real(3, 3, 2, 3) }, ({ x, w }) => tf.conv2d(x, w, 1, 1)),
  op('conv2d, padding 1, stride 2', { x: real(2, 8, 8, 2), w: real(3, 3, 2, 3) }, ({ x, w }) =>
    tf.conv2d(x, w, 2, 1, 'NHWC', 1, 'floor'),
  ),
  op('conv2d 7x7, padding 3, stride 2', { x: real(1, 12, 12, 3), w: real(7, 7, 3, 2) }, ({ x, w }) =>
    tf.conv2d(x, w, 2, 3, 'NHWC', 1, 'floor'),
  ),
  op('conv2d, padding differs by side', { x: real(2, 5, 6, 2), w: real(3, 3, 2, 3) }, ({ x, w }) =>
    tf.conv2d(x, w, 1, [
      [0, 0],
      [0, 1],
      [2, 1],
      [0, 0],
    ]),
  ),
  op(
    'conv2d, dilation 2',
    { x: real(2, 8, 7, 2), w: real(3, 3, 2, 3) },
    ({ x, w }) => tf.conv2d(x, w, 1, 'same', 'NHWC', 2),
    DILATED,
  ),
  op(
    'conv2d, dilations 1 and 3, valid',
    { x: real(1, 8, 9, 2), w: real(3, 3, 2, 3) },
    ({ x, w }) => tf.conv2d(x, w, 1, 'valid', 'NHWC', [1, 3]),
    DILATED,
  ),
  op('conv2d of one image without batch', { x: real(5, 6, 2), w: real(3, 3, 2, 3) }, ({ x, w }) => tf.conv2d(x, w, 1, 'same')),
  op('conv2d of one channel to one', { x: real(1, 6, 6, 1), w: real(3, 3, 1, 1) }, ({ x, w }) => tf.conv2d(x, w, 1, 'same')),
  op('conv2d of one pixel', { x: real(3, 1, 1, 4), w: real(3, 3, 4, 2) }, ({ x, w }) => tf.conv2d(x, w, 1, 'same')),
  op('conv2d of 64 channels', { x: real(2, 4, 4, 64), w: real(3, 3, 64, 16) }, ({ x, w }) => tf.conv2d(x, w, 1, 'same')),
  op('conv2d of a batch of none', { x: real(0, 4, 4, 2), w: real(3, 3, 2, 3) }, ({ x, w }) => tf.conv2d(x, w, 1, 'same'), {
    gradient: 'none', // Nothing to sum over.
  }),
  op('conv1d', { x: real(2, 9, 3), w: real(3, 3, 4) }, ({ x, w }) => tf.conv1d(x, w, 2, 'same')),
  op('conv2dTranspose same', { x: real(2, 4, 5, 3), w: real(3, 3, 2, 3) }, ({ x, w }) =>
    tf.conv2dTranspose(x, w, [2, 8, 10, 2], 2, 'same'),
  ),
  op('conv2dTranspose valid', { x: real(1, 4, 5, 3), w: real(3, 3, 2, 3) }, ({ x, w }) =>
    tf.conv2dTranspose(x, w, [1, 6, 7, 2], 1, 'valid'),
  ),
];

const depthwise: ConformanceCase[] = [
  op('depthwiseConv2d same', { x: real(2, 5, 7, 3), w: real(3, 3, 3, 1) }, ({ x, w }) => tf.depthwiseConv2d(x, w, 1, 'same')),
  op('depthwiseConv2d valid, multiplier 2', { x: real(2, 6, 7, 3), w: real(3, 3, 3, 2) }, ({ x, w }) =>
    tf.depthwiseConv2d(x, w, 1, 'valid'),
  ),
  op('depthwiseConv2d, stride 2', { x: real(1, 7, 7, 2), w: real(3, 3, 2, 2) }, ({ x, w }) =>
    tf.depthwiseConv2d(x, w, 2, 'same'),
  ),
  op('depthwiseConv2d 5x5', { x: real(1, 7, 6, 4), w: real(5, 5, 4, 1) }, ({ x, w }) => tf.depthwiseConv2d(x, w, 1, 'same')),
  op('depthwiseConv2d, padding 1', { x: real(1, 6, 6, 2), w: real(3, 3, 2, 1) }, ({ x, w }) => tf.depthwiseConv2d(x, w, 1, 1)),
  op('depthwiseConv2d without batch', { x: real(6, 5, 2), w: real(3, 3, 2, 1) }, ({ x, w }) =>
    tf.depthwiseConv2d(x, w, 1, 'same'),
  ),
  op(
    'depthwiseConv2d, dilation 2',
    { x: real(1, 8, 7, 2), w: real(3, 3, 2, 1) },
    ({ x, w }) => tf.depthwiseConv2d(x, w, 1, 'same', 'NHWC', 2),
    DILATED,
  ),
  op('separableConv2d', { x: real(2, 6, 5, 3), d: real(3, 3, 3, 2), p: real(1, 1, 6, 4) }, ({ x, d, p }) =>
    tf.separableConv2d(x, d, p, 1, 'same'),
  ),
  op('separableConv2d, stride 2', { x: real(1, 7, 8, 2), d: real(3, 3, 2, 1), p: real(1, 1, 2, 3) }, ({ x, d, p }) =>
    tf.separableConv2d(x, d, p, 2, 'valid'),
  ),
];

const fused: ConformanceCase[] = [
  op('fused conv2d with bias and relu', { x: real(2, 5, 5, 3), filter: real(3, 3, 3, 4), bias: real(4) }, ({ x, filter, bias }) =>
    tf.fused.conv2d({ x, filter, bias, strides: 1, pad: 'same', activation: 'relu' }),
  ),
  op('fused conv2d with bias, linear', { x: real(2, 5, 5, 3), filter: real(3, 3, 3, 4), bias: real(4) }, ({ x, filter, bias }) =>
    tf.fused.conv2d({ x, filter, bias, strides: 2, pad: 'valid', activation: 'linear' }),
  ),
  op('fused conv2d, padding 1', { x: real(2, 5, 5, 3), filter: real(3, 3, 3, 4), bias: real(4) }, ({ x, filter, bias }) =>
    tf.fused.conv2d({ x, filter, bias, strides: 1, pad: 1, activation: 'relu' }),
  ),
  op('fused depthwiseConv2d', { x: real(2, 5, 5, 3), filter: real(3, 3, 3, 1), bias: real(3) }, ({ x, filter, bias }) =>
    tf.fused.depthwiseConv2d({ x, filter, bias, strides: 1, pad: 'same', activation: 'relu6' }),
  ),
  op('fused matMul', { a: real(3, 4), b: real(4, 5), bias: real(5) }, ({ a, b, bias }) =>
    tf.fused.matMul({ a, b, bias, transposeA: false, transposeB: false, activation: 'relu' }),
  ),
];

/**
 * Average over a 3x3 window padded by 1, padding not counted. The oracle's own gradient of a padded avgPool divides by the
 * whole window, as its forward op does not.
 */
function averageOfPixels(x: AnyTensor, stride: number): tf.Tensor {
  const around: [number, number][] = [
    [0, 0],
    [1, 1],
    [1, 1],
    [0, 0],
  ];
  const sum = (t: AnyTensor): tf.Tensor4D => tf.avgPool(tf.pad(t as tf.Tensor4D, around), 3, stride, 'valid');
  return tf.div(sum(x), sum(tf.onesLike(x)));
}

const pooling: ConformanceCase[] = [
  op('maxPool 2x2', { x: real(2, 6, 8, 3) }, ({ x }) => tf.maxPool(x, 2, 2, 'valid')),
  op('maxPool 2x2, odd size', { x: real(2, 5, 7, 3) }, ({ x }) => tf.maxPool(x, 2, 2, 'same')),
  op('maxPool 3x3, stride 2', { x: real(2, 7, 8, 2) }, ({ x }) => tf.maxPool(x, 3, 2, 'same')),
  op('maxPool 3x3, stride 1', { x: real(1, 5, 5, 2) }, ({ x }) => tf.maxPool(x, 3, 1, 'same')),
  op('maxPool 3x2, strides 1 and 2', { x: real(1, 6, 6, 2) }, ({ x }) => tf.maxPool(x, [3, 2], [1, 2], 'valid')),
  op('maxPool, padding 1', { x: real(1, 6, 6, 2) }, ({ x }) => tf.maxPool(x, 3, 1, 1)),
  op('maxPool of negative values, padding 1, stride 2', { x: floats(-3, -1, -2, -4) }, ({ x }) =>
    tf.maxPool(tf.reshape(x, [1, 2, 2, 1]) as tf.Tensor4D, 3, 2, 1, 'floor'),
  ),
  op('maxPool of ties', { x: tied(2, 6, 6, 2) }, ({ x }) => tf.maxPool(x, 2, 2, 'valid')),
  op('maxPool without batch', { x: real(6, 6, 2) }, ({ x }) => tf.maxPool(x, 2, 2, 'valid')),
  op('avgPool 2x2', { x: real(2, 6, 8, 3) }, ({ x }) => tf.avgPool(x, 2, 2, 'valid')),
  op('avgPool 3x3 same counts no padding', { x: real(2, 5, 7, 2) }, ({ x }) => tf.avgPool(x, 3, 2, 'same'), {
    reference: ({ x }) => averageOfPixels(x, 2),
  }),
  op('avgPool 3x3, stride 1', { x: real(1, 5, 5, 2) }, ({ x }) => tf.avgPool(x, 3, 1, 'same'), {
    reference: ({ x }) => averageOfPixels(x, 1),
  }),
  op('avgPool, padding 1', { x: real(1, 6, 6, 2) }, ({ x }) => tf.avgPool(x, 3, 1, 1), {
    reference: ({ x }) => averageOfPixels(x, 1),
  }),
  op('pool with dilation', { x: real(1, 7, 7, 2) }, ({ x }) => tf.pool(x, 2, 'max', 'same', 2, 1)),
  op('global average pool', { x: real(2, 5, 7, 3) }, ({ x }) => tf.mean(x, [1, 2])),
  op('global max pool', { x: real(2, 5, 7, 3) }, ({ x }) => tf.max(x, [1, 2])),
];

const norms: ConformanceCase[] = [
  op('batchNorm', { x: real(2, 3, 4, 3), m: real(3), v: positive(3), o: real(3), s: real(3) }, ({ x, m, v, o, s }) =>
    tf.batchNorm(x, m, v, o, s, 1e-5),
  ),
  // TensorFlow.js' gradient cannot do without a scale.
  op(
    'batchNorm without scale and offset',
    { x: real(2, 3, 4, 3), m: real(3), v: positive(3) },
    ({ x, m, v }) => tf.batchNorm(x, m, v),
    { gradient: 'none' },
  ),
  op('batchNorm of rank 2', { x: real(5, 3), m: real(3), v: positive(3), o: real(3), s: real(3) }, ({ x, m, v, o, s }) =>
    tf.batchNorm2d(x, m, v, o, s),
  ),
  op('batch norm with its own statistics', { x: real(4, 3, 3, 2), o: real(2), s: real(2) }, ({ x, o, s }) => {
    const { mean, variance } = tf.moments(x, [0, 1, 2]);
    return tf.batchNorm(x, mean, variance, o, s, 1e-3);
  }),
  op('localResponseNormalization', { x: real(2, 3, 4, 7) }, ({ x }) => tf.localResponseNormalization(x, 2, 1, 0.3, 0.75)),
];

export const CONVOLUTIONS: readonly ConformanceCase[] = [...conv2d, ...depthwise, ...fused, ...pooling, ...norms];
