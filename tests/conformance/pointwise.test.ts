// Filter gradients of 1x1 convolutions with a stride: TensorFlow's own kernel for CPUs writes past the end of its memory there,
// which ends the process within some hundred runs.
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { makeInput, real } from '../../trainer/src/jit/conformance/case.js';
import { difference } from '../../trainer/src/jit/conformance/compare.js';
import { expected } from '../../trainer/src/jit/conformance/oracle.js';
import type { HostTensor } from '../../trainer/src/jit/contract.js';
import { noLibrary } from '../support/library.js';
import { openCompiled } from './compiled.js';

const RUNS = 500;

const gradient = ({ x, w, weights }: { x: tf.Tensor4D; w: tf.Tensor4D; weights: tf.Tensor4D }) => ({
  w: tf.grad((filter) => tf.sum(tf.mul(tf.conv2d(x, filter as tf.Tensor4D, 2, 'valid'), weights)))(w),
});

test.skipIf(noLibrary)(
  'of 1x1 filters at stride 2, of an odd batch with few channels, equal the oracle run after run',
  async () => {
    tf.setBackend('cpu');
    const input = (name: string, ...shape: number[]): HostTensor => makeInput('pointwise', name, real(...shape));
    const inputs = { x: input('x', 3, 16, 16, 4), w: input('w', 1, 1, 4, 8), weights: input('weights', 3, 8, 8, 8) };
    const wanted = expected(gradient, inputs).w;
    const session = await openCompiled();
    try {
      const step = session.jit(gradient);
      for (let i = 0; i < RUNS; i++) expect(difference(step.run(inputs).w, wanted)).toBeUndefined();
    } finally {
      session.close();
    }
  },
);
