// Ranks in worker threads, with the exchange in shared memory, against one rank on the whole of each batch.
import { beforeAll, describe, expect, test } from 'vitest';
import { relativeError } from '../../trainer/src/nn/oracle.js';
import { noLibrary } from '../support/library.js';
import { type RankRun, STEPS, trainByRanks } from '../support/rank-runs.js';

/**
 * Of the largest value of a tensor. Steps in parts differ from whole ones in the order of their sums alone: those of a gradient, over
 * 8 examples of up to 64 pixels, pass through some 10 partial sums, each rounded by 2^-24; all steps carry that on.
 */
const TOLERANCE = STEPS * 10 * 2 ** -24;

/** bfloat16 keeps 8 bits, the first of them implied: to the nearest, an error of half the last one. */
const BF16_ROUNDING = 2 ** -8;

/** Norms of few examples divide by deviations that may be small, and pass what was rounded on to the next layer: ten times that. */
const NORM_TOLERANCE = 10 * TOLERANCE;

function expectSame(run: RankRun, whole: RankRun, tolerance = TOLERANCE): void {
  expect(relativeError(run.losses, whole.losses)).toBeLessThan(tolerance);
  expect(run.corrects).toEqual(whole.corrects);
  expect(Object.keys(run.weights)).toEqual(Object.keys(whole.weights));
  for (const [name, expected] of Object.entries(whole.weights))
    expect(relativeError(run.weights[name]!, expected), name).toBeLessThan(tolerance);
  for (const side of ['resnet', 'plain'] as const) {
    expect(Math.abs(run.scores[side]!.loss / whole.scores[side]!.loss - 1)).toBeLessThan(tolerance);
    expect(run.scores[side]!.correct).toBe(whole.scores[side]!.correct);
  }
}

describe.skipIf(noLibrary)('ranks in threads', () => {
  let whole: RankRun;
  beforeAll(async () => {
    whole = await trainByRanks({ norm: 'none', workers: 1 });
  });

  // Batches of 8 and of 1: shares of 4 and 4, of 2, 3 and 3, and ranks that have nothing to do.
  for (const { what, changes } of [
    { what: 'two', changes: { workers: 2 } },
    { what: 'three, with uneven shares,', changes: { workers: 3 } },
    { what: 'two that accumulate over three parts', changes: { workers: 2, accumulate: 3 } },
  ])
    test(`${what} train what one trains on whole batches, also where a batch has fewer examples than there are ranks`, async () => {
      expectSame(await trainByRanks({ norm: 'none', ...changes }), whole);
    });

  test('two and three with norms over all of them train what one trains on whole batches', async () => {
    const alone = await trainByRanks({ norm: 'batch', workers: 1 });
    for (const workers of [2, 3]) expectSame(await trainByRanks({ norm: 'batch', syncBn: true, workers }), alone, NORM_TOLERANCE);
  });

  test('norms over all ranks exchange as often on each of them where a batch has fewer examples than parts', async () => {
    // 3 images make shares of 1 and 2 for parts of which there are to be 2.
    const last = { model: ['resnet'] as ['resnet'], norm: 'batch', syncBn: true, workers: 2, batchSize: 11 } as const;
    const [parts, whole] = [await trainByRanks({ ...last, accumulate: 2 }), await trainByRanks(last)];
    expect(parts.losses).toHaveLength(whole.losses.length);
    expect(parts.losses.every(Number.isFinite)).toBe(true);
  });

  test('gradients that cross in bfloat16 are rounded once by their rank and once in the mean, and no more', async () => {
    // Without momentum and decay, velocities are the gradients of the last step; at no rate, weights stay as they were.
    const still = { model: ['resnet'] as ['resnet'], norm: 'none', momentum: 0, weightDecay: 0, lr: 1e-30 } as const;
    const [first, second, mean] = [
      await trainByRanks({ ...still, workers: 1, batchSize: 4, maxSteps: 1 }),
      await trainByRanks({ ...still, workers: 1, batchSize: 4, maxSteps: 2 }),
      await trainByRanks({ ...still, workers: 2, wire: 'bf16', maxSteps: 1 }),
    ];
    let largest = 0;
    for (const [name, actual] of Object.entries(mean.weights).filter(([name]) => name.includes('velocities'))) {
      const [a, b] = [first.weights[name]!, second.weights[name]!];
      const scale = Math.max(...a.map(Math.abs), ...b.map(Math.abs));
      actual.forEach((value, i) => {
        const exact = (a[i]! + b[i]!) / 2;
        const bound = BF16_ROUNDING * ((Math.abs(a[i]!) + Math.abs(b[i]!)) / 2 + Math.abs(value)) + TOLERANCE * scale;
        expect(Math.abs(value - exact), `${name}[${i}]`).toBeLessThanOrEqual(bound);
        largest = Math.max(largest, Math.abs(value - exact) / scale);
      });
    }
    // Rounded they are.
    expect(largest).toBeGreaterThan(BF16_ROUNDING / 4);
  });

  test('training with bfloat16 on the wire follows the losses of one rank', async () => {
    const run = await trainByRanks({ norm: 'none', workers: 3, wire: 'bf16' });
    // Each update is wrong by two roundings of gradients at most, and the losses move by less than themselves.
    expect(relativeError(run.losses, whole.losses)).toBeLessThan(2 * BF16_ROUNDING);
  });
});
