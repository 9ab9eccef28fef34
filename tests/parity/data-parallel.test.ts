// Ranks that share their steps against one rank alone, on every engine. The exchange is float64 arithmetic of the test's own.
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, test } from 'vitest';
import { openWasmSession } from '../../trainer/src/fallback/session.js';
import type { HostTensor, Session } from '../../trainer/src/jit/contract.js';
import { relativeError } from '../../trainer/src/nn/oracle.js';
import type { Batch, Learner } from '../../trainer/src/worker/step.js';
import {
  drawBatch,
  PIXELS,
  referenceExchanges,
  SIDE,
  split,
  type TestNet,
  testLearner,
  weightsOf,
} from '../../trainer/src/worker/test-ranks.js';
import { openCompiled } from '../conformance/compiled.js';
import { noLibrary } from '../support/library.js';

const ENGINES = [
  { name: 'the compiled engine', open: openCompiled, missing: noLibrary },
  { name: 'the WebAssembly engine', open: openWasmSession, missing: undefined },
];

const STEPS = 5;
// bfloat16 rounds by 2^-9 = 2e-3 an operation: of the losses.
const LOW_TOLERANCE = 5e-3;
const LR = 0.05;
const BATCH = 12;
// Of the largest value of a tensor. Steps in parts differ from whole ones in the order of their sums alone: those of a gradient, over
// 12 examples of up to 64 pixels, pass through some 10 partial sums, each rounded by 2^-24; five steps carry that on.
const TOLERANCE = STEPS * 10 * 2 ** -24;

let sessions: Session[] = [];
afterEach(() => {
  for (const session of sessions) session.close();
  sessions = [];
  tf.disposeVariables();
});

interface Rank {
  readonly session: Session;
  readonly learner: Learner;
}

for (const { name, open, missing } of ENGINES)
  describe.skipIf(missing)(`with ${name}`, () => {
    const openRank = async (net: TestNet): Promise<Rank> => {
      const session = await open({ intraOpThreads: 1 });
      sessions.push(session);
      return { session, learner: testLearner(session, net) };
    };
    exactnessTests(openRank);
    normTests(openRank);
  });

type OpenRank = (net: TestNet) => Promise<Rank>;

/** STEPS steps by as many ranks as there are lists of part sizes; each rank's losses, counts, norms and weights. */
async function trainInParts(
  openRank: OpenRank,
  net: TestNet,
  parts: readonly (readonly number[])[],
  batchOf = wholeBatch,
  steps = STEPS,
) {
  const ranks: Rank[] = [];
  for (const _ of parts) ranks.push(await openRank(net));
  const { exchanges, seen } = referenceExchanges(parts.length);
  const losses: number[] = [];
  const corrects: number[] = [];
  for (let step = 0; step < steps; step++) {
    const batch = batchOf(step);
    const pieces = split(batch, parts.flat());
    const shared = { examples: batch.labels.data.length, lr: LR };
    const outcomes = await Promise.all(
      ranks.map(({ learner }, rank) => {
        const batches = pieces.splice(0, parts[rank]!.length).flat();
        return learner.trainShared({ ...shared, batches, exchange: exchanges[rank]! });
      }),
    );
    const { loss, correct } = outcomes[0]!;
    for (const outcome of outcomes) expect(outcome).toMatchObject({ loss, correct });
    losses.push(loss);
    corrects.push(correct);
  }
  const weights = ranks.map(({ session, learner }) => weightsOf(session, learner));
  return { losses, corrects, norms: ranks.map(({ learner }) => learner.norms), weights, seen };
}

/** The same steps by the fused graph. */
async function trainWhole(openRank: OpenRank, net: TestNet, batchOf = wholeBatch) {
  const { session, learner } = await openRank(net);
  const losses: number[] = [];
  const corrects: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { loss, correct } = await learner.train(batchOf(step), LR);
    losses.push(loss);
    corrects.push(correct);
  }
  return { losses, corrects, norms: learner.norms, weights: weightsOf(session, learner) };
}

const wholeBatch = (step: number): Batch => drawBatch(BATCH, step);

function exactnessTests(openRank: OpenRank): void {
  const cases: Record<string, readonly (readonly number[])[]> = {
    'one rank': [[12]],
    'two ranks': [[6], [6]],
    'three ranks with uneven shards': [[7], [4], [1]],
    'three ranks, one of them without examples': [[8], [], [4]],
    'one rank in two parts': [[6, 6]],
    'one rank in three uneven parts': [[5, 4, 3]],
    'two ranks, one of them in parts': [[3, 4], [5]],
  };
  for (const [what, parts] of Object.entries(cases))
    test(`${what}: shared steps are one rank's steps on the whole batch`, async () => {
      const whole = await trainWhole(openRank, { norm: 'none' });
      const shared = await trainInParts(openRank, { norm: 'none' }, parts);
      expectClose(shared, whole);
      expect(shared.corrects).toEqual(whole.corrects);
      for (const weights of shared.weights) expect(weights).toEqual(shared.weights[0]);
    });
}

type Shared = Awaited<ReturnType<typeof trainInParts>>;
type Whole = Awaited<ReturnType<typeof trainWhole>>;

function expectClose(shared: Shared, whole: Whole): void {
  expect(relativeError(shared.losses, whole.losses)).toBeLessThan(TOLERANCE);
  const [weights] = shared.weights;
  expect(Object.keys(weights!)).toEqual(Object.keys(whole.weights));
  for (const [name, expected] of Object.entries(whole.weights))
    expect(relativeError(weights![name]!, expected), name).toBeLessThan(TOLERANCE);
  for (const norms of shared.norms) expect(relativeError(flat(norms), flat(whole.norms))).toBeLessThan(TOLERANCE);
}

const flat = (norms: Learner['norms']): number[] => norms.flatMap(({ gradient, weights, step }) => [gradient, weights, step]);

function normTests(openRank: OpenRank): void {
  const net: TestNet = { norm: 'batch' };

  test('with batch norm, ranks with the same shard do what one of them would do alone', async () => {
    const shard = (step: number): Batch => drawBatch(6, step);
    const twice = (step: number): Batch => joined(shard(step), shard(step));
    const whole = await trainWhole(openRank, net, shard);
    for (const parts of [[[6], [6]], [[6, 6]], [[6], [], [6]]]) {
      const shared = await trainInParts(openRank, net, parts, twice);
      expectClose(shared, whole);
      expect(shared.corrects).toEqual(whole.corrects.map((correct) => 2 * correct));
      for (const weights of shared.weights) expect(weights).toEqual(shared.weights[0]);
    }
  });

  test('with batch norm, all ranks hold the same bits after steps on uneven shards', async () => {
    const { weights } = await trainInParts(openRank, net, [[7], [1, 3], [], [1]]);
    for (const each of weights) expect(each).toEqual(weights[0]);
  });

  for (const parts of [[[7], [5]], [[2, 5], [5]], [[7, 5]]])
    test(`running statistics move by the weighted mean of the batch statistics of parts ${JSON.stringify(parts)}`, async () => {
      const first = await openRank(net);
      const before = weightsOf(first.session, first.learner);
      const { weights, seen } = await trainInParts(openRank, net, parts, wholeBatch, 1);
      const pieces = split(wholeBatch(0), parts.flat()).flat();
      const statistics = pieces.map((piece) => ({
        examples: piece.labels.data.length,
        ...stemStatistics(piece, before['value conv1.weight']!),
      }));
      for (const [name, kind] of [
        ['value bn1.running_mean', 'mean'],
        ['value bn1.running_var', 'variance'],
      ] as const) {
        const expected = Array.from(
          before[name]!,
          (value, c) => 0.9 * value + 0.1 * weightedMean(statistics.map((s) => [s.examples, s[kind][c]!])),
        );
        expect(relativeError(weights[0]![name]!, expected), name).toBeLessThan(TOLERANCE);
      }
      // All norms, in the order in which their statistics crossed.
      const mean = Array.from(seen[0]!.exact[0]!, (_, i) => weightedMean(seen.map((c) => [c!.examples, c!.exact[0]![i]!])));
      const running = Object.keys(before).filter((name) => /running_(mean|var)$/.test(name));
      const moved = running.flatMap((name) => Array.from(weights[0]![name]!));
      const old = running.flatMap((name) => Array.from(before[name]!));
      expect(mean.length).toBe(2 + moved.length);
      expect(
        relativeError(
          moved,
          old.map((value, i) => 0.9 * value + 0.1 * mean[2 + i]!),
        ),
      ).toBeLessThan(TOLERANCE);
    });
}

const weightedMean = (weighted: readonly (readonly [weight: number, value: number])[]): number =>
  weighted.reduce((sum, [weight, value]) => sum + weight * value, 0) / weighted.reduce((sum, [weight]) => sum + weight, 0);

function joined(a: Batch, b: Batch): Batch {
  const join = (x: HostTensor, y: HostTensor): HostTensor => ({
    dtype: x.dtype,
    shape: [x.shape[0]! + y.shape[0]!, ...x.shape.slice(1)],
    data: x.dtype === 'uint8' ? Uint8Array.of(...x.data, ...y.data) : Int32Array.of(...x.data, ...y.data),
  });
  return { images: join(a.images, b.images), labels: join(a.labels, b.labels) };
}

/** Mean and unbiased variance of the first convolution's outputs by channel, in float64. `weights` [3, 3, 3, C], zeros around the image. */
function stemStatistics({ images, labels }: Batch, weights: Float32Array): { mean: number[]; variance: number[] } {
  const channels = weights.length / 27;
  const pixel = (n: number, y: number, x: number, i: number): number => {
    if (y < 0 || y >= SIDE || x < 0 || x >= SIDE) return 0;
    return (images.data[((n * SIDE + y) * SIDE + x) * 3 + i]! - PIXELS.mean[i]!) / PIXELS.std[i]!;
  };
  const taps = Array.from({ length: 27 }, (_, tap) => [Math.floor(tap / 9) - 1, (Math.floor(tap / 3) % 3) - 1, tap % 3] as const);
  const outputs = Array.from({ length: channels }, (_, c) =>
    Array.from({ length: labels.data.length * SIDE * SIDE }, (_, at) => {
      const [n, y, x] = [Math.floor(at / SIDE ** 2), Math.floor(at / SIDE) % SIDE, at % SIDE];
      return taps.reduce((sum, [dy, dx, i], tap) => sum + pixel(n, y + dy, x + dx, i) * weights[tap * channels + c]!, 0);
    }),
  );
  const mean = outputs.map((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
  const variance = outputs.map(
    (values, c) => values.reduce((sum, value) => sum + (value - mean[c]!) ** 2, 0) / (values.length - 1),
  );
  return { mean, variance };
}

describe.skipIf(noLibrary)('in bfloat16', () => {
  test('ranks exchange float32, hold the same bits and follow one rank on the whole batch', async () => {
    const openRank = async (net: TestNet): Promise<Rank> => {
      const session = await openCompiled({ intraOpThreads: 1 });
      sessions.push(session);
      return { session, learner: testLearner(session, { ...net, precision: 'bf16' }) };
    };
    const whole = await trainWhole(openRank, { norm: 'none' });
    const shared = await trainInParts(openRank, { norm: 'none' }, [[7], [3, 2]]);
    expect(shared.seen.flatMap((c) => c!.gradients).every((gradient) => gradient instanceof Float32Array)).toBe(true);
    expect(shared.weights[1]).toEqual(shared.weights[0]);
    expect(relativeError(shared.losses, whole.losses)).toBeLessThan(LOW_TOLERANCE);
  });
});
