import { expect, test } from 'vitest';
import { fitStepModel, predictExchangeMs, predictStepMs, type StepModel } from './scaling-model.js';

const MODEL: StepModel = { oneRankMs: 5, perRankMs: 0.5, waitMs: 1, rankGbPerSec: 10 };
/** 1 MB of float32. */
const GRADIENT = { floats: 250_000, wire: 'fp32' } as const;

test('one rank exchanges nothing', () => {
  expect(predictStepMs(MODEL, 1, GRADIENT, { cores: 2 })).toBe(5);
});

test('ranks with a core each move their bytes at the same time', () => {
  // Each of 4 reads 1 MB and writes 1 to pack, the same to unpack; all read 4 and write 1 to average: 21 MB at 40 GB/s.
  expect(predictExchangeMs(MODEL, 4, GRADIENT, { cores: 8 })).toBeCloseTo(1 + 21 / 40, 10);
});

test('ranks that share a core take turns, in their meetings too', () => {
  expect(predictExchangeMs(MODEL, 4, GRADIENT, { cores: 2 })).toBeCloseTo(2 + 21 / 20, 10);
});

test('half the bytes cross as bfloat16, but those of the ranks stay float32', () => {
  // 1 + 0.5 MB to pack, 0.5 + 1 to unpack, and for all 2 + 0.5 to average.
  const bf16 = { ...GRADIENT, wire: 'bf16' } as const;
  expect(predictExchangeMs(MODEL, 4, bf16, { cores: 8 })).toBeCloseTo(1 + 14.5 / 40, 10);
});

test('memory is a limit for all ranks together', () => {
  expect(predictExchangeMs(MODEL, 4, GRADIENT, { cores: 8, memoryGbPerSec: 21 })).toBeCloseTo(1 + 1, 10);
});

test('a model fitted on one and two ranks predicts both', () => {
  const two = { stepMs: 9, lastMs: 3, workMs: 2.5 };
  const model = fitStepModel(5, two, GRADIENT);
  expect(model).toMatchObject({ oneRankMs: 5, perRankMs: 1, waitMs: 0.5 });
  expect(predictStepMs(model, 2, GRADIENT, { cores: 2 })).toBeCloseTo(9, 10);
});

test('noise makes no cost negative', () => {
  const model = fitStepModel(5, { stepMs: 4.9, lastMs: 0.2, workMs: 0.3 }, GRADIENT);
  expect(model).toMatchObject({ perRankMs: 0, waitMs: 0 });
});
