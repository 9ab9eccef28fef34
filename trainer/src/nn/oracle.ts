// The oracle of the tests: TensorFlow.js' pure-JavaScript backend, slow and independent of every engine of ours.
import * as tf from '@tensorflow/tfjs-core';
// The only package that registers the gradients of tfjs' ops in a form that Node loads; it brings the 'cpu' backend too.
import '@tensorflow/tfjs';
import { afterEach, beforeAll, beforeEach } from 'vitest';
import { registerReferenceKernels } from './reference-kernels.js';

/** Runs every test of the file on the oracle, and frees what it made. */
export function useOracle(): void {
  beforeAll(async () => {
    registerReferenceKernels('cpu');
    await tf.setBackend('cpu');
  });
  beforeEach(() => tf.engine().startScope());
  afterEach(() => {
    tf.engine().endScope();
    tf.disposeVariables();
  });
}

/** Largest difference, relative to the largest expected value. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values where ${expected.length} are expected`);
  const values = Array.from(expected);
  const scale = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  return values.reduce((most, v, i) => Math.max(most, Math.abs(actual[i]! - v)), 0) / scale;
}
