// Training with norms over all ranks: ranks on parts of each batch take the steps that one rank takes on the whole.
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, test } from 'vitest';
import type { Exchange } from '../../trainer/src/allreduce/contract.js';
import { openWasmSession } from '../../trainer/src/fallback/session.js';
import type { Session } from '../../trainer/src/jit/contract.js';
import { meetingPlace } from '../../trainer/src/nn/lockstep.js';
import { relativeError } from '../../trainer/src/nn/oracle.js';
import type { Learner } from '../../trainer/src/worker/step.js';
import { type SyncExchange, syncExchangeBy } from '../../trainer/src/worker/sync-exchange.js';
import { drawBatch, referenceExchanges, split, testLearner, weightsOf } from '../../trainer/src/worker/test-ranks.js';
import { openCompiled } from '../conformance/compiled.js';
import { noLibrary } from '../support/library.js';

const STEPS = 3;
const LR = 0.05;
const BATCH = 12;
/**
 * Of the largest value of a tensor. As for ranks without norms, sums in another order: ten roundings a step. Norms of few examples
 * divide by deviations that may be small, and pass what was rounded on to the next layer: ten times that.
 */
const TOLERANCE = STEPS * 100 * 2 ** -24;
const OPTIONS = { step: 0, deadlineMs: 1000 };

const sessions: Session[] = [];
afterEach(() => {
  for (const session of sessions.splice(0)) session.close();
  tf.disposeVariables();
});

async function openRank(open: () => Session | Promise<Session>, ranks?: number) {
  const session = await open();
  sessions.push(session);
  return { session, learner: testLearner(session, { norm: 'batch', ...(ranks !== undefined && { syncNorm: { ranks } }) }) };
}

const openOneThread = () => openCompiled({ intraOpThreads: 1 });

/** Steps by as many ranks as there are lists of part sizes. */
async function trainInParts(parts: readonly (readonly number[])[], { alone = false } = {}) {
  const ranks = await Promise.all(parts.map(() => openRank(openOneThread, parts.length)));
  const { exchanges } = referenceExchanges(parts.length);
  const syncExchanges = groupOf(ranks.map(({ learner }) => learner));
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const pieces = split(drawBatch(BATCH, step), parts.flat());
    const outcomes = await Promise.all(
      ranks.map(({ learner }, rank) =>
        learner.trainShared({
          batches: pieces.splice(0, parts[rank]!.length).flat(),
          examples: BATCH,
          lr: LR,
          exchange: exchanges[rank]!,
          ...(!alone && { syncExchange: syncExchanges[rank]! }),
        }),
      ),
    );
    losses.push(outcomes[0]!.loss);
  }
  return { losses, weights: ranks.map(({ session, learner }) => weightsOf(session, learner)) };
}

/** The learners' exchanges of norms by a group of their own, which has one layout. */
function groupOf(learners: readonly Learner[]): SyncExchange[] {
  const meet = meetingPlace(learners.length);
  return learners.map(({ syncLayout }, rank) => {
    const exchange: Pick<Exchange, 'exchange'> = {
      exchange: async ({ exact, examples }, into) => {
        expect(exact.map((array) => array.length)).toEqual(syncLayout!.exact);
        const mean = exact[0]!.slice();
        await meet(rank, mean, examples);
        into.exact[0]!.set(mean);
        return { packMs: 0, waitMs: 0, reduceMs: 0, unpackMs: 0 };
      },
    };
    return syncExchangeBy(exchange, syncLayout!)(OPTIONS);
  });
}

async function trainWhole(open: () => Session | Promise<Session>) {
  const { session, learner } = await openRank(open);
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) losses.push((await learner.train(drawBatch(BATCH, step), LR)).loss);
  return { losses, weights: weightsOf(session, learner) };
}

function expectSame(
  actual: { losses: number[]; weights: Record<string, Float32Array> },
  expected: { losses: number[]; weights: Record<string, Float32Array> },
): void {
  expect(relativeError(actual.losses, expected.losses)).toBeLessThan(TOLERANCE);
  expect(Object.keys(actual.weights)).toEqual(Object.keys(expected.weights));
  for (const [name, values] of Object.entries(expected.weights))
    expect(relativeError(actual.weights[name]!, values), name).toBeLessThan(TOLERANCE);
}

describe.skipIf(noLibrary)('with norms over all ranks, on the compiled engine', () => {
  for (const parts of [[[12]], [[6], [6]], [[7], [4], [1]]])
    test(`ranks with ${JSON.stringify(parts)} examples take the steps of one rank on the whole batch`, async () => {
      const [shared, whole] = [await trainInParts(parts), await trainWhole(openOneThread)];
      expectSame({ ...shared, weights: shared.weights[0]! }, whole);
      for (const weights of shared.weights) expect(weights).toEqual(shared.weights[0]);
    });

  // Every part's batch is that of all ranks' parts at the same place: the first 4 + 2 examples of these ranks, then 3 + 3.
  test('parts that are accumulated are normalized together, however unevenly they are cut', async () => {
    const cut = await trainInParts([
      [4, 3],
      [2, 3],
    ]);
    const [other] = [await trainAccumulated()];
    expectSame({ ...cut, weights: cut.weights[0]! }, other);
    for (const weights of cut.weights) expect(weights).toEqual(cut.weights[0]);
  });

  test('a step that the exchange of norms fails changes nothing, and the next is right', async () => {
    const { session, learner } = await openRank(openOneThread, 1);
    const before = weightsOf(session, learner);
    const [exchange] = referenceExchanges(1).exchanges;
    const step = { batches: split(drawBatch(BATCH, 0), [BATCH]).flat(), examples: BATCH, lr: LR, exchange: exchange! };
    let calls = 0;
    const fails: SyncExchange = async () => {
      if (calls++ === 4) throw new Error('of another rank');
    };
    await expect(learner.trainShared({ ...step, syncExchange: fails })).rejects.toThrow('of another rank');
    expect(weightsOf(session, learner)).toEqual(before);
    const { loss } = await learner.trainShared({ ...step, syncExchange: () => {} });
    expect(relativeError([loss], (await trainWhole(openOneThread)).losses.slice(0, 1))).toBeLessThan(TOLERANCE);
  });

  test('a rank that has all examples, and those that have none, need no exchange of norms', async () => {
    const parts = [[BATCH], []];
    const [shared, whole] = [await trainInParts(parts, { alone: true }), await trainWhole(openOneThread)];
    expectSame({ ...shared, weights: shared.weights[0]! }, whole);
    expect(shared.weights[1]).toEqual(shared.weights[0]);
  });

  /** One rank, whose parts are those of all ranks together. */
  async function trainAccumulated() {
    const { session, learner } = await openRank(openOneThread);
    const { exchanges } = referenceExchanges(1);
    const losses: number[] = [];
    for (let step = 0; step < STEPS; step++) {
      const [a, b, c, d] = split(drawBatch(BATCH, step), [4, 3, 2, 3]).flat();
      const batches = [joined(a!, c!), joined(b!, d!)];
      const { loss } = await learner.trainShared({ batches, examples: BATCH, lr: LR, exchange: exchanges[0]! });
      losses.push(loss);
    }
    return { losses, weights: weightsOf(session, learner) };
  }
});

describe('with norms over all ranks, on the WebAssembly engine', () => {
  test('one rank takes the steps that it takes without', async () => {
    const { session, learner } = await openRank(openWasmSession, 1);
    const [exchange] = referenceExchanges(1).exchanges;
    const losses: number[] = [];
    const lengths: number[] = [];
    for (let step = 0; step < STEPS; step++) {
      const batches = split(drawBatch(BATCH, step), [BATCH]).flat();
      const syncExchange: SyncExchange = (values) => void lengths.push(values.length);
      const { loss } = await learner.trainShared({ batches, examples: BATCH, lr: LR, exchange: exchange!, syncExchange });
      losses.push(loss);
    }
    expectSame({ losses, weights: weightsOf(session, learner) }, await trainWhole(openWasmSession));
    expect(Math.max(...lengths)).toBe(learner.syncLayout!.exact[0]);
    const norms = Object.keys(learner.values).filter((name) => name.endsWith('.running_mean'));
    expect(lengths.length).toBe(3 * norms.length * STEPS);
  });
});

type Batch = ReturnType<typeof drawBatch>;
function joined(a: Batch, b: Batch): Batch {
  const images = { ...a.images, shape: [a.images.shape[0]! + b.images.shape[0]!, ...a.images.shape.slice(1)] };
  const labels = { ...a.labels, shape: [a.labels.data.length + b.labels.data.length] };
  return {
    images: { ...images, data: Uint8Array.of(...a.images.data, ...b.images.data) },
    labels: { ...labels, data: Int32Array.of(...a.labels.data, ...b.labels.data) },
  };
}
