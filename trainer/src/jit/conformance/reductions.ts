// Reductions, sorting, and linear algebra.
import * as tf from '@tensorflow/tfjs-core';
import { type AnyTensor, type ConformanceCase, flags, floats, op, positive, real, signed, tied } from './case.js';

type Reduction = (x: AnyTensor, axis?: number | number[], keepDims?: boolean) => AnyTensor;

// TensorFlow.js has no gradient for these.
const NO_GRADIENT = { gradient: 'none' } as const;

const REDUCTIONS: Readonly<Record<string, Reduction>> = {
  sum: tf.sum,
  mean: tf.mean,
  max: tf.max,
  min: tf.min,
  prod: tf.prod,
  logSumExp: tf.logSumExp,
};

const reductions: ConformanceCase[] = [
  ...Object.entries(REDUCTIONS).flatMap(([name, fn]) => [
    op(`${name} of all`, { x: positive(2, 3, 4) }, ({ x }) => fn(x)),
    op(`${name} over the last axis`, { x: positive(2, 3, 4) }, ({ x }) => fn(x, 2)),
    op(`${name} over the first axis, kept`, { x: positive(3, 4) }, ({ x }) => fn(x, 0, true)),
    op(`${name} of a scalar`, { x: positive() }, ({ x }) => fn(x)),
  ]),
  op('sum over two axes', { x: real(2, 3, 4, 2) }, ({ x }) => tf.sum(x, [1, 3])),
  op('sum over the axis counted from the end', { x: real(2, 3, 4) }, ({ x }) => tf.sum(x, -2)),
  op('sum over no axis', { x: real(2, 3) }, ({ x }) => tf.sum(x, [])),
  op('sum of nothing', { x: real(0, 3) }, ({ x }) => tf.sum(x, 0), NO_GRADIENT),
  op('sum of int32', { x: signed(3, 4) }, ({ x }) => tf.sum(x, 1)),
  op('sum of bool', { x: flags(3, 4) }, ({ x }) => tf.sum(x, 1)),
  op('mean over two axes, kept', { x: real(2, 3, 4, 2) }, ({ x }) => tf.mean(x, [1, 2], true)),
  op('mean of int32', { x: signed(3, 4) }, ({ x }) => tf.mean(x, 1)),
  op('max of int32', { x: signed(3, 4) }, ({ x }) => tf.max(x, 1)),
  op('max of ties', { x: tied(3, 5) }, ({ x }) => tf.max(x, 1)),
  op('all', { x: flags(4, 2) }, ({ x }) => tf.all(x, 1)),
  op('all of all', { x: flags(4, 2) }, ({ x }) => tf.all(x)),
  op('any', { x: flags(4, 2) }, ({ x }) => tf.any(x, 1, true)),
  op('argMax', { x: real(4, 5) }, ({ x }) => tf.argMax(x, 1), NO_GRADIENT),
  op('argMax of ties is the first', { x: tied(6, 5) }, ({ x }) => tf.argMax(x, 1), NO_GRADIENT),
  op('argMax over the first axis', { x: real(4, 5) }, ({ x }) => tf.argMax(x, 0), NO_GRADIENT),
  op('argMin', { x: real(4, 5) }, ({ x }) => tf.argMin(x, -1), NO_GRADIENT),
  op('moments', { x: real(4, 3, 2) }, ({ x }) => {
    const { mean, variance } = tf.moments(x, [0, 1]);
    return [mean, variance];
  }),
  op('moments, kept', { x: real(4, 3) }, ({ x }) => tf.moments(x, 0, true).variance),
  op('norm', { x: real(3, 4) }, ({ x }) => tf.norm(x)),
  op('norm of order 1 over an axis', { x: real(3, 4) }, ({ x }) => tf.norm(x, 1, 1)),
  op('norm of infinite order', { x: real(3, 4) }, ({ x }) => tf.norm(x, Infinity, 1)),
  op('euclideanNorm', { x: real(3, 4) }, ({ x }) => tf.euclideanNorm(x, 1)),
  op('cumsum', { x: real(3, 4) }, ({ x }) => tf.cumsum(x, 1)),
  op('cumsum, exclusive and reversed', { x: real(3, 4) }, ({ x }) => tf.cumsum(x, 1, true, true)),
  // TensorFlow.js' gradient along another axis than the last forgets to transpose back.
  op('cumsum over the first axis', { x: real(3, 4) }, ({ x }) => tf.cumsum(x, 0), NO_GRADIENT),
  op('cumprod', { x: real(3, 4) }, ({ x }) => tf.cumprod(x, 1), NO_GRADIENT),
  op(
    'topk',
    { x: real(4, 7) },
    ({ x }) => {
      const { values, indices } = tf.topk(x, 3);
      return [values, indices];
    },
    NO_GRADIENT,
  ),
  op(
    'inTopK of the five best',
    { x: real(4, 7), labels: floats(0, 2, 4, 6) },
    ({ x, labels }) => {
      const { indices } = tf.topk(x, 5);
      return tf.any(tf.equal(indices, tf.expandDims(tf.cast(labels, 'int32'), 1)), 1);
    },
    NO_GRADIENT,
  ),
  op('unsortedSegmentSum', { x: real(5, 3) }, ({ x }) => tf.unsortedSegmentSum(x, tf.tensor1d([0, 2, 0, 1, 2], 'int32'), 3)),
];

const algebra: ConformanceCase[] = [
  op('matMul', { a: real(3, 5), b: real(5, 4) }, ({ a, b }) => tf.matMul(a, b)),
  op('matMul, first transposed', { a: real(5, 3), b: real(5, 4) }, ({ a, b }) => tf.matMul(a, b, true)),
  op('matMul, second transposed', { a: real(3, 5), b: real(4, 5) }, ({ a, b }) => tf.matMul(a, b, false, true)),
  op('matMul, both transposed', { a: real(5, 3), b: real(4, 5) }, ({ a, b }) => tf.matMul(a, b, true, true)),
  op('matMul of batches', { a: real(2, 3, 5), b: real(2, 5, 4) }, ({ a, b }) => tf.matMul(a, b)),
  op('matMul of batches, transposed', { a: real(2, 5, 3), b: real(2, 4, 5) }, ({ a, b }) => tf.matMul(a, b, true, true)),
  // TensorFlow.js' gradient by the one matrix forgets to sum over the batch.
  op('matMul, one matrix for all of a batch', { a: real(2, 3, 5), b: real(5, 4) }, ({ a, b }) => tf.matMul(a, b), NO_GRADIENT),
  op('matMul of one row', { a: real(1, 5), b: real(5, 1) }, ({ a, b }) => tf.matMul(a, b)),
  op('matMul of 512 terms', { a: real(3, 512), b: real(512, 4) }, ({ a, b }) => tf.matMul(a, b)),
  op('dot of vectors', { a: real(5), b: real(5) }, ({ a, b }) => tf.dot(a, b)),
  op('dot of a matrix and a vector', { a: real(3, 5), b: real(5) }, ({ a, b }) => tf.dot(a, b)),
  op('outerProduct', { a: real(3), b: real(4) }, ({ a, b }) => tf.outerProduct(a, b)),
  op('einsum of matrices', { a: real(3, 5), b: real(5, 4) }, ({ a, b }) => tf.einsum('ij,jk->ik', a, b), NO_GRADIENT),
  op('einsum of batches', { a: real(2, 3, 5), b: real(2, 4, 5) }, ({ a, b }) => tf.einsum('bij,bkj->bik', a, b), NO_GRADIENT),
  op('einsum of one', { a: real(3, 5) }, ({ a }) => tf.einsum('ij->j', a), NO_GRADIENT),
];

export const REDUCTIONS_AND_ALGEBRA: readonly ConformanceCase[] = [...reductions, ...algebra];
