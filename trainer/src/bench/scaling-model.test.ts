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

/** What infra/decisions/0010-scaling.md says of 11.2 million floats: measured with two ranks, and what is assumed of a machine with GPUs. */
const RESNET18 = { floats: 11_173_962, wire: 'fp32' } as const;
const MEASURED = { perRankMs: 0.858, waitMs: 4.695, rankGbPerSec: 25.12 };
const HOST = { cores: 64, memoryGbPerSec: 200 };
const PCIE_GB_PER_SEC = 25;
const H100_IMAGES_PER_SEC = { fp32: 26_000, bf16: 38_900 };

/** Milliseconds of a step besides the GPU's own work: copies to the host and back, and the exchange. */
function besidesMs(ranks: number): number {
  const copiesMs = (2 * 4 * RESNET18.floats) / PCIE_GB_PER_SEC / 1e6;
  return predictStepMs({ ...MEASURED, oneRankMs: copiesMs }, ranks, RESNET18, HOST);
}

test.each([
  // ranks, precision, predicted milliseconds at 128 images a GPU, times one GPU's rate there, images a GPU where half of a step is its own
  [4, 'fp32', 25.1, 0.78, 525],
  [4, 'bf16', 23.5, 0.56, 785],
  [8, 'fp32', 28.4, 1.39, 609],
  [8, 'bf16', 26.7, 0.98, 912],
] as const)('%i H100, %s: the figures of the decision page', (ranks, precision, stepMs, times, half) => {
  const ownMs = (1e3 * 128) / H100_IMAGES_PER_SEC[precision];
  const step = ownMs + besidesMs(ranks);
  expect(step).toBeCloseTo(stepMs, 1);
  expect((ranks * ownMs) / step).toBeCloseTo(times, 2);
  expect((besidesMs(ranks) * H100_IMAGES_PER_SEC[precision]) / 1e3).toBeCloseTo(half, 0);
});
