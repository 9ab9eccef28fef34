import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { relativeError, useOracle } from '../nn/oracle.js';
import { initialVelocity, type SgdOptions, sgdUpdate } from './sgd.js';

useOracle();

// Steps with PyTorch's numbers are in ../nn/models.torch.test.ts; here are the options that those do not use.
const step = (
  parameter: tf.Tensor,
  options: Partial<SgdOptions>,
): { parameter: ArrayLike<number>; velocity: ArrayLike<number> } => {
  const state = { parameter, velocity: tf.fill(parameter.shape, 2), gradient: tf.fill(parameter.shape, 3), lr: tf.scalar(0.1) };
  const next = sgdUpdate(state, { momentum: 0.5, weightDecay: 0.25, decayNorm: true, ...options });
  return { parameter: next.parameter.dataSync(), velocity: next.velocity.dataSync() };
};
const expectStep = (actual: ReturnType<typeof step>, velocity: number, parameter: number): void => {
  expect(relativeError(actual.velocity, [velocity])).toBeLessThan(1e-6);
  expect(relativeError(actual.parameter, [parameter])).toBeLessThan(1e-6);
};

describe('a step of SGD', () => {
  it('adds decay and momentum to the gradient', () => {
    expectStep(step(tf.tensor2d([[4]]), {}), 0.5 * 2 + 3 + 0.25 * 4, 4 - 0.1 * 5);
  });

  it('leaves vectors undecayed where asked for, matrices not', () => {
    expectStep(step(tf.tensor1d([4]), { decayNorm: false }), 4, 4 - 0.1 * 4);
    expectStep(step(tf.tensor2d([[4]]), { decayNorm: false }), 5, 4 - 0.1 * 5);
    expectStep(step(tf.tensor1d([4]), { decayNorm: true }), 5, 4 - 0.1 * 5);
  });

  it('is plain gradient descent without momentum and decay', () => {
    expectStep(step(tf.tensor2d([[4]]), { momentum: 0, weightDecay: 0 }), 3, 4 - 0.1 * 3);
  });

  it('starts from velocities of zero', () => {
    expect(initialVelocity({ data: Float32Array.of(1, 2, 3) })).toEqual(new Float32Array(3));
  });
});
