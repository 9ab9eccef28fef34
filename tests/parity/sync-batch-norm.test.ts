// Batch norm over all ranks, on the engines that train: ranks on parts of a batch equal its definition over the whole batch.
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openWasmSession } from '../../trainer/src/fallback/session.js';
import type { Compiled, HostTensor, JitOptions, OnExchange, Session, Tensors } from '../../trainer/src/jit/contract.js';
import { type BatchNormResults, batchNormOracle } from '../../trainer/src/nn/batch-norm-oracle.js';
import { inLockstep, meetingPlace } from '../../trainer/src/nn/lockstep.js';
import { BATCH_NORM, trainingBatchNorm } from '../../trainer/src/nn/ops.js';
import { relativeError } from '../../trainer/src/nn/oracle.js';
import { syncBatchNorm } from '../../trainer/src/nn/sync-batch-norm.js';
import { randomStream } from '../../trainer/src/random.js';
import { openCompiled } from '../conformance/compiled.js';
import { noLibrary } from '../support/library.js';

const [HEIGHT, WIDTH, CHANNELS] = [8, 7, 5];
const EXAMPLES = [10, 6];
const TOTAL = 16;
const PER_EXAMPLE = HEIGHT * WIDTH * CHANNELS;
/** As in the norm's unit test: a dozen roundings, and those of a sum over all pixels, in units of float32's roundoff. */
const TOLERANCE = (12 + Math.sqrt(TOTAL * HEIGHT * WIDTH)) * 2 ** -24;

const drawn = (what: string, length: number, mean = 0): Float32Array => {
  const random = randomStream(11, what);
  return Float32Array.from({ length }, () => mean + random.normal());
};
// A mean three deviations away from zero, as behind a convolution of what a ReLU left.
const whole = { x: drawn('x', TOTAL * PER_EXAMPLE, 3), dy: drawn('dy', TOTAL * PER_EXAMPLE) };
const [scale, offset] = [drawn('scale', CHANNELS, 1), drawn('offset', CHANNELS)];
const exact = batchNormOracle({ ...whole, scale, offset, epsilon: BATCH_NORM.epsilon });

type Norm = (x: tf.Tensor4D, scale: tf.Tensor1D, offset: tf.Tensor1D) => ReturnType<typeof trainingBatchNorm>;

/** A norm with the gradients of the sum of its y weighted by dy. */
function compile(session: Session, norm: Norm, options: JitOptions = {}): Compiled<Tensors> {
  return session.jit(({ x, dy, scale, offset }: Record<'x' | 'dy' | 'scale' | 'offset', tf.Tensor>) => {
    const kept: Record<string, tf.Tensor> = {};
    const weighted = (...inputs: tf.Tensor[]): tf.Tensor => {
      const result = norm(inputs[0] as tf.Tensor4D, inputs[1] as tf.Tensor1D, inputs[2] as tf.Tensor1D);
      for (const [name, tensor] of Object.entries(result)) kept[name] = tf.keep(tensor);
      return tf.sum(tf.mul(result.y, dy));
    };
    const [dx, dscale, doffset] = tf.grads(weighted)([x, scale, offset]);
    const results = Object.fromEntries(Object.entries(kept).map(([name, tensor]) => [name, tf.clone(tensor)]));
    tf.dispose(kept);
    return { ...results, dx: dx!, dscale: dscale!, doffset: doffset! };
  }, options);
}

const tensor = (data: Float32Array, ...shape: number[]): HostTensor => ({ dtype: 'float32', shape, data });

/** What a rank is given: its examples, and dy of the mean over them. */
function inputsOf(rank: number, examples: readonly number[] = EXAMPLES): Record<string, HostTensor> {
  const from = examples.slice(0, rank).reduce((sum, n) => sum + n, 0);
  const n = examples[rank]!;
  const part = (array: Float32Array): Float32Array => array.slice(from * PER_EXAMPLE, (from + n) * PER_EXAMPLE);
  return {
    x: tensor(part(whole.x), n, HEIGHT, WIDTH, CHANNELS),
    dy: tensor(
      part(whole.dy).map((d) => (d * TOTAL) / n),
      n,
      HEIGHT,
      WIDTH,
      CHANNELS,
    ),
    scale: tensor(scale, CHANNELS),
    offset: tensor(offset, CHANNELS),
  };
}

type Results = Record<string, HostTensor>;
const numbers = (results: Results, name: string): number[] => Array.from(results[name]!.data);

/** The ranks' results as those of the whole batch: gradients are weighted as the exchange of gradients does. */
function together(results: readonly Results[]): BatchNormResults {
  const share = (rank: number): number => EXAMPLES[rank]! / TOTAL;
  const average = (name: string): number[] =>
    numbers(results[0]!, name).map((_, i) => results.reduce((sum, r, rank) => sum + numbers(r, name)[i]! * share(rank), 0));
  return {
    y: results.flatMap((r) => numbers(r, 'y')),
    dx: results.flatMap((r, rank) => numbers(r, 'dx').map((d) => d * share(rank))),
    mean: numbers(results[0]!, 'mean'),
    variance: numbers(results[0]!, 'variance'),
    dscale: average('dscale'),
    doffset: average('doffset'),
  };
}

const errors = (actual: BatchNormResults): Record<string, number> =>
  Object.fromEntries(
    Object.entries(exact).map(([name, expected]) => [name, relativeError(actual[name as keyof BatchNormResults], expected)]),
  );

function expectExact(actual: BatchNormResults, tolerance = TOLERANCE): void {
  for (const [name, error] of Object.entries(errors(actual))) expect(error, name).toBeLessThan(tolerance);
}

const sessions: Session[] = [];
beforeAll(() => void tf.setBackend('cpu'));
afterEach(() => {
  for (const session of sessions.splice(0)) session.close();
});

function parityTests(open: () => Promise<Session>): void {
  const opened = async (): Promise<Session> => {
    const session = await open();
    sessions.push(session);
    return session;
  };

  test('two ranks on parts of a batch give the whole batch’s results, gradients and statistics', async () => {
    const ranks = await Promise.all(
      EXAMPLES.map(async (_, rank) => {
        let host: OnExchange = () => {};
        const norm: Norm = (x, s, o) => syncBatchNorm(x, s, o, { ranks: EXAMPLES.length });
        const fn = compile(await opened(), norm, { onExchange: (values, index) => host(values, index) });
        return (onExchange: OnExchange): Results => {
          host = onExchange;
          return fn.run(inputsOf(rank));
        };
      }),
    );
    const { results, lengths } = inLockstep(ranks, EXAMPLES);
    expect(lengths).toEqual([CHANNELS + 1, CHANNELS, 2 * CHANNELS]);
    expectExact(together(results));
    // All ranks move their running averages by the same bits.
    expect(numbers(results[1]!, 'mean')).toEqual(numbers(results[0]!, 'mean'));
    expect(numbers(results[1]!, 'variance')).toEqual(numbers(results[0]!, 'variance'));
  });

  test('one rank with the whole batch gives what batch norm gives', async () => {
    const session = await opened();
    const alone = compile(session, (x, s, o) => syncBatchNorm(x, s, o, { ranks: 1 }), { onExchange: () => {} });
    const usual = compile(session, trainingBatchNorm);
    const inputs = inputsOf(0, [TOTAL]);
    const [actual, expected] = [alone.run(inputs), usual.run(inputs)];
    for (const name of Object.keys(exact))
      expect(relativeError(actual[name]!.data, expected[name]!.data), name).toBeLessThan(TOLERANCE);
  });
}

describe('batch norm over all ranks on the wasm engine', () => parityTests(openWasmSession));

describe.skipIf(noLibrary)('batch norm over all ranks on the compiled engine', () => {
  parityTests(openCompiled);

  test('ranks that meet in the middle of asynchronous runs give the whole batch’s results too', async () => {
    const meet = meetingPlace(EXAMPLES.length);
    const ranks = await Promise.all(
      EXAMPLES.map(async (_, rank) => {
        const session = await openCompiled({ intraOpThreads: 1 });
        sessions.push(session);
        const norm: Norm = (x, s, o) => syncBatchNorm(x, s, o, { ranks: EXAMPLES.length });
        return compile(session, norm, { onExchange: (values) => meet(rank, values, EXAMPLES[rank]!) });
      }),
    );
    const results: Results[][] = [];
    for (let step = 0; step < 3; step++) results.push(await Promise.all(ranks.map((fn, rank) => fn.runAsync(inputsOf(rank)))));
    expectExact(together(results[0]!));
    expect(results[2]).toEqual(results[0]);
  });
});
