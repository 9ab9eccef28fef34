import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { OnExchange } from '../jit/contract.js';
import { HOST_EXCHANGE } from '../jit/host-exchange.js';
import { randomStream } from '../random.js';
import { type BatchNormResults, batchNormOracle } from './batch-norm-oracle.js';
import { inLockstep } from './lockstep.js';
import { BATCH_NORM, trainingBatchNorm } from './ops.js';
import { relativeError, useOracle } from './oracle.js';
import { syncBatchNorm } from './sync-batch-norm.js';

useOracle();

const CHANNELS = 3;
const [HEIGHT, WIDTH] = [4, 5];
/**
 * Unit roundoff of float32. A result is a dozen roundings from the inputs, on top of those of a sum over all pixels, whose errors
 * are of both signs and in the order of the root of their number: 16 units for 240 pixels.
 */
const UNIT = 2 ** -24;
const TOLERANCE = (12 + Math.sqrt(240)) * UNIT;

let host: OnExchange | undefined;
beforeAll(() => {
  tf.registerKernel({
    kernelName: HOST_EXCHANGE,
    backendName: 'cpu',
    kernelFunc: ({ inputs }) => {
      const x = inputs['x'] as tf.Tensor;
      const values = Float32Array.from(x.dataSync());
      host!(values, calls++);
      return tf.tensor(values, x.shape);
    },
  });
});
let calls = 0;

/** Weights of a result's elements, which tell them apart in a gradient. */
const drawn = (what: string, length: number, mean = 0): Float32Array => {
  const random = randomStream(7, what);
  return Float32Array.from({ length }, () => mean + random.normal());
};
const pixelsOf = (examples: number): number => examples * HEIGHT * WIDTH * CHANNELS;

type Norm = (x: tf.Tensor4D, scale: tf.Tensor1D, offset: tf.Tensor1D) => ReturnType<typeof trainingBatchNorm>;
interface Inputs {
  readonly x: Float32Array;
  readonly dy: Float32Array;
}
const scales = drawn('scale', CHANNELS, 1);
const offsets = drawn('offset', CHANNELS);

/** A norm's results, and the gradients of the sum of its y weighted by dy. */
function passes(norm: Norm, { x, dy }: Inputs): BatchNormResults {
  tf.engine().startScope();
  try {
    const shape: [number, number, number, number] = [x.length / pixelsOf(1), HEIGHT, WIDTH, CHANNELS];
    const results: Partial<Record<string, number[]>> = {};
    const weighted = (input: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor): tf.Scalar => {
      const { y, mean, variance } = norm(input as tf.Tensor4D, scale as tf.Tensor1D, offset as tf.Tensor1D);
      for (const [name, tensor] of Object.entries({ y, mean, variance })) results[name] = Array.from(tensor.dataSync());
      tf.dispose([mean, variance]);
      return tf.sum(tf.mul(y, tf.tensor4d(dy, shape)));
    };
    const gradients = tf.grads(weighted as (...args: tf.Tensor[]) => tf.Tensor)([
      tf.tensor4d(x, shape),
      tf.tensor1d(scales),
      tf.tensor1d(offsets),
    ]);
    const [dx, dscale, doffset] = gradients.map((g) => Array.from(g.dataSync()));
    return { ...results, dx, dscale, doffset } as BatchNormResults;
  } finally {
    tf.engine().endScope();
  }
}

const slice = (array: Float32Array, from: number, examples: number): Float32Array =>
  array.slice(pixelsOf(from), pixelsOf(from + examples));

/** The whole batch's results as ranks with so many examples find them, put together as the gradient exchange does. */
function onRanks(examples: readonly number[], whole: Inputs): BatchNormResults & { lengths: readonly number[] } {
  const total = examples.reduce((sum, n) => sum + n, 0);
  const starts = examples.map((_, rank) => examples.slice(0, rank).reduce((sum, n) => sum + n, 0));
  const steps = examples.map((n, rank) => (onExchange: OnExchange) => {
    [host, calls] = [onExchange, 0];
    // A rank's loss is the mean over its own examples: N / n times its part of the whole batch's mean.
    const dy = slice(whole.dy, starts[rank]!, n).map((d) => (d * total) / n);
    return passes((x, s, o) => syncBatchNorm(x, s, o, { ranks: examples.length }), { x: slice(whole.x, starts[rank]!, n), dy });
  });
  const { results, lengths } = inLockstep(steps, examples);
  const average = (name: 'dscale' | 'doffset'): number[] =>
    results[0]![name].map((_, i) => results.reduce((sum, r, rank) => sum + (r[name][i]! * examples[rank]!) / total, 0));
  return {
    lengths,
    y: results.flatMap((r) => r.y),
    dx: results.flatMap((r, rank) => r.dx.map((d) => (d * examples[rank]!) / total)),
    mean: results[0]!.mean,
    variance: results[0]!.variance,
    dscale: average('dscale'),
    doffset: average('doffset'),
  };
}

const RESULTS = ['y', 'mean', 'variance', 'dx', 'dscale', 'doffset'] as const;
const batch = (examples: number, mean = 0): Inputs => ({
  x: drawn('x', pixelsOf(examples), mean),
  dy: drawn('dy', pixelsOf(examples)),
});
const exact = ({ x, dy }: Inputs): BatchNormResults =>
  batchNormOracle({ x, dy, scale: scales, offset: offsets, epsilon: BATCH_NORM.epsilon });

describe('batch norm over all ranks', () => {
  it.each([[[12]], [[6, 6]], [[7, 5]], [[9, 1, 2]], [[1, 1]]])(
    'on ranks with %j examples equals the definition over the whole batch, forward and backward',
    (examples) => {
      const whole = batch(examples.reduce((sum, n) => sum + n, 0));
      const [actual, expected] = [onRanks(examples, whole), exact(whole)];
      for (const name of RESULTS) expect(relativeError(actual[name], expected[name]), name).toBeLessThan(TOLERANCE);
    },
  );

  it('equals batch norm of the whole batch on one rank', () => {
    const whole = batch(12);
    const [actual, expected] = [onRanks([5, 7], whole), passes(trainingBatchNorm, whole)];
    for (const name of RESULTS) expect(relativeError(actual[name], expected[name]), name).toBeLessThan(TOLERANCE);
  });

  it('keeps the digits of a variance that is small beside the mean', () => {
    const whole = batch(12, 1000);
    const [actual, expected] = [onRanks([6, 6], whole), exact(whole)];
    // Values near 1000 are rounded to 1000 units, and so are their distances from the mean.
    for (const name of RESULTS) expect(relativeError(actual[name], expected[name]), name).toBeLessThan(1000 * TOLERANCE);
  });

  it('gives every rank the same statistics, to the bit', () => {
    const whole = batch(8);
    const examples = [5, 3];
    const steps = examples.map((n, rank) => (onExchange: OnExchange) => {
      [host, calls] = [onExchange, 0];
      const from = rank === 0 ? 0 : examples[0]!;
      return passes((x, s, o) => syncBatchNorm(x, s, o, { ranks: 2 }), {
        x: slice(whole.x, from, n),
        dy: slice(whole.dy, from, n),
      });
    });
    const [first, second] = inLockstep(steps, examples).results;
    expect([second!.mean, second!.variance]).toEqual([first!.mean, first!.variance]);
  });

  it('exchanges twice forward and once backward', () => {
    expect(onRanks([2, 2], batch(4)).lengths).toEqual([CHANNELS + 1, CHANNELS, 2 * CHANNELS]);
  });
});
