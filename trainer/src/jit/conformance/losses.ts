// Losses, and small compositions as a training step has them. Labels get no gradient: TensorFlow.js gives some losses none.
import * as tf from '@tensorflow/tfjs-core';
import { type ConformanceCase, floats, op, positive, real, unit, whole } from './case.js';

const REDUCTIONS = {
  none: tf.Reduction.NONE,
  mean: tf.Reduction.MEAN,
  sum: tf.Reduction.SUM,
  'sum by nonzero weights': tf.Reduction.SUM_BY_NONZERO_WEIGHTS,
} as const;

const BY_PREDICTION = { gradient: ['p'] } as const;

export const LOSSES: readonly ConformanceCase[] = [
  op(
    'softmaxCrossEntropy',
    { labels: unit(4, 5), p: real(4, 5) },
    ({ labels, p }) => tf.losses.softmaxCrossEntropy(labels, p),
    BY_PREDICTION,
  ),
  op(
    'softmaxCrossEntropy with label smoothing',
    { labels: whole(5, 4), p: real(4, 5) },
    ({ labels, p }) => tf.losses.softmaxCrossEntropy(tf.oneHot(labels, 5, 1, 0, 'float32'), p, 1, 0.1),
    BY_PREDICTION,
  ),
  op(
    'softmaxCrossEntropy of sure predictions',
    { labels: whole(3, 2), p: floats(100, 0, -100, -100, 100, 0) },
    ({ labels, p }) => tf.losses.softmaxCrossEntropy(tf.oneHot(labels, 3, 1, 0, 'float32'), tf.reshape(p, [2, 3])),
    BY_PREDICTION,
  ),
  op(
    'sigmoidCrossEntropy',
    { labels: unit(4, 5), p: real(4, 5) },
    ({ labels, p }) => tf.losses.sigmoidCrossEntropy(labels, p),
    BY_PREDICTION,
  ),
  op('meanSquaredError', { labels: real(4, 5), p: real(4, 5) }, ({ labels, p }) => tf.losses.meanSquaredError(labels, p)),
  ...Object.entries(REDUCTIONS).map(([name, reduction]) =>
    op(`weighted meanSquaredError, ${name}`, { labels: real(4, 5), p: real(4, 5) }, ({ labels, p }) =>
      tf.losses.meanSquaredError(labels, p, tf.tensor2d([1, 0, 2, 0.5], [4, 1]), reduction),
    ),
  ),
  op('absoluteDifference', { labels: real(4, 5), p: real(4, 5) }, ({ labels, p }) => tf.losses.absoluteDifference(labels, p)),
  op('huberLoss', { labels: real(4, 5), p: real(4, 5) }, ({ labels, p }) => tf.losses.huberLoss(labels, p, 1, 0.7)),
  op('logLoss', { labels: unit(4, 5), p: unit(4, 5) }, ({ labels, p }) => tf.losses.logLoss(labels, p)),
  op('cosineDistance', { labels: real(4, 5), p: real(4, 5) }, ({ labels, p }) => tf.losses.cosineDistance(labels, p, 1)),
  op(
    'hingeLoss',
    { labels: unit(4, 5), p: real(4, 5) },
    ({ labels, p }) => tf.losses.hingeLoss(tf.round(labels), p),
    BY_PREDICTION,
  ),
  op(
    'accuracy',
    { labels: whole(5, 8), p: real(8, 5) },
    ({ labels, p }) => tf.mean(tf.cast(tf.equal(tf.argMax(p, 1), labels), 'float32')),
    {
      gradient: 'none', // A count.
    },
  ),
  op(
    'a small network to its loss',
    { x: real(2, 6, 6, 2), w: real(3, 3, 2, 4), d: real(4, 3), labels: whole(3, 2) },
    ({ x, w, d, labels }) => {
      const pooled = tf.mean(tf.maxPool(tf.relu(tf.conv2d(x, w, 1, 'same')), 2, 2, 'valid'), [1, 2]);
      return tf.losses.softmaxCrossEntropy(tf.oneHot(labels, 3, 1, 0, 'float32'), tf.matMul(pooled as tf.Tensor2D, d));
    },
  ),
  op('a squeeze-and-excitation gate', { x: real(2, 4, 4, 4), a: positive(4, 2), b: real(2, 4) }, ({ x, a, b }) => {
    const gate = tf.sigmoid(tf.matMul(tf.relu(tf.matMul(tf.mean(x, [1, 2]) as tf.Tensor2D, a)), b));
    return tf.mul(x, tf.reshape(gate, [2, 1, 1, 4]));
  }),
];
