import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { crossEntropy } from './loss.js';
import { conv2d, everySecondPixel, globalAveragePool, relu } from './ops.js';
import { relativeError, useOracle } from './oracle.js';
import { torchFixture, unpack } from './torch-fixture.js';

useOracle();

const TOLERANCE = 1e-6;
const image = (...shape: [number, number, number, number]): tf.Tensor4D =>
  tf.tensor4d(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, (_, i) => Math.sin(3 * i) + 0.01 * i),
    shape,
  );

/** Result and gradient of a function of x, each output weighted differently. */
function pullback(f: (x: tf.Tensor4D) => tf.Tensor, x: tf.Tensor4D): { y: ArrayLike<number>; dx: ArrayLike<number> } {
  const y = f(x);
  const weights = tf.range(1, y.size + 1).reshape(y.shape);
  const dx = tf.grad((input: tf.Tensor) => tf.sum(tf.mul(f(input as tf.Tensor4D), weights)))(x);
  return { y: y.dataSync(), dx: dx.dataSync() };
}

function expectSame(f: (x: tf.Tensor4D) => tf.Tensor, reference: (x: tf.Tensor4D) => tf.Tensor, x: tf.Tensor4D): void {
  const [actual, expected] = [pullback(f, x), pullback(reference, x)];
  expect(relativeError(actual.y, expected.y)).toBeLessThan(TOLERANCE);
  expect(relativeError(actual.dx, expected.dx)).toBeLessThan(TOLERANCE);
}

describe('every second pixel', () => {
  /** By slices of one row and column, which TensorFlow.js differentiates. */
  const bySlices = (x: tf.Tensor4D): tf.Tensor => {
    const [n, h, w, c] = x.shape;
    const even = (size: number) => Array.from({ length: Math.ceil(size / 2) }, (_, i) => 2 * i);
    const row = (y: number) =>
      tf.concat(
        even(w).map((column) => tf.slice(x, [0, y, column, 0], [n, 1, 1, c])),
        2,
      );
    return tf.concat(even(h).map(row), 1);
  };
  it.each([
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 5],
    [5, 4],
    [1, 6],
    [7, 2],
  ])('of %i x %i is what slices say, forward and backward', (h, w) => {
    expectSame(everySecondPixel, bySlices, image(2, h, w, 3));
  });
});

describe('a convolution', () => {
  it.each([
    [3, 1],
    [3, 2],
    [1, 1],
    [1, 2],
    [7, 1],
  ])('%i wide of stride %i is padded alike on both sides, even sizes and odd', (side, stride) => {
    const w = image(side, side, 2, 3);
    const p = (side - 1) / 2;
    const padded = (x: tf.Tensor4D) =>
      tf.conv2d(
        tf.pad(x, [
          [0, 0],
          [p, p],
          [p, p],
          [0, 0],
        ]),
        w,
        stride,
        'valid',
      );
    for (const [h, width] of [
      [8, 8],
      [7, 9],
      [1, 2],
    ] as const)
      expectSame((x) => conv2d(x, w, stride), padded, image(2, h, width, 2));
  });
});

describe('activations and pooling', () => {
  it('relu and its gradient are those of TensorFlow.js', () => {
    expectSame(relu, (x) => tf.relu(x), image(2, 3, 3, 2));
  });

  it('the global average and its gradient are those of a mean', () => {
    expectSame(globalAveragePool, (x) => tf.mean(x, [1, 2]), image(2, 3, 5, 4));
  });
});

describe('cross-entropy', () => {
  it('with smoothed labels is PyTorch’s, and so is its gradient', () => {
    const { logits, labels, smoothing, loss, gradient } = torchFixture().loss;
    const z = tf.tensor2d(unpack(logits).data, logits.shape as [number, number]);
    const targets = tf.tensor1d([...labels], 'int32');
    const { value, grad } = tf.valueAndGrad((input: tf.Tensor) => crossEntropy(input as tf.Tensor2D, targets, smoothing).loss)(z);
    expect(relativeError(value.dataSync(), [loss])).toBeLessThan(TOLERANCE);
    expect(relativeError(grad.dataSync(), unpack(gradient).data)).toBeLessThan(TOLERANCE);
  });

  it('stays finite for logits far apart', () => {
    const { loss } = crossEntropy(tf.tensor2d([[1000, -1000]]), tf.tensor1d([1], 'int32'));
    expect(loss.dataSync()[0]).toBe(2000);
  });

  it('counts the images whose label has the largest logit', () => {
    const logits = tf.tensor2d([
      [1, 2, 0],
      [5, 4, 3],
      [0, 0, 1],
    ]);
    const { correct } = crossEntropy(logits, tf.tensor1d([1, 1, 2], 'int32'));
    expect(correct.dataSync()[0]).toBe(2);
  });
});
