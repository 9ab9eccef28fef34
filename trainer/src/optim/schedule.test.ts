import { describe, expect, it } from 'vitest';
import { torchFixture } from '../nn/torch-fixture.js';
import { learningRate, type ScheduleOptions } from './schedule.js';

const fixture = torchFixture();
const rates = (options: ScheduleOptions): number[] =>
  Array.from({ length: options.totalSteps }, (_, step) => learningRate(step, options));
const same = (actual: readonly number[], expected: readonly number[]): void => {
  expect(actual.length).toBe(expected.length);
  for (const [step, rate] of actual.entries()) expect(rate, `step ${step}`).toBeCloseTo(expected[step]!, 12);
};

describe('the learning rate', () => {
  it('falls by a cosine as PyTorch’s', () => {
    const { lr, steps, rates: expected } = fixture.cosine;
    same(rates({ schedule: 'cosine', lr, totalSteps: steps, warmupSteps: 0 }), expected);
  });

  it('rises in warm-up and falls by tenths as PyTorch’s', () => {
    const { lr, steps, warmupSteps, rates: expected } = fixture.warmStep;
    same(rates({ schedule: 'step', lr, totalSteps: steps, warmupSteps }), expected);
  });

  it('falls where He et al. let it', () => {
    const options = { schedule: 'step', lr: 0.1, totalSteps: 64_000, warmupSteps: 0 } as const;
    same(
      [0, 31_999, 32_000, 47_999, 48_000, 63_999].map((step) => learningRate(step, options)),
      [0.1, 0.1, 0.01, 0.01, 0.001, 0.001],
    );
  });

  it('stays where it is constant', () => {
    same(rates({ schedule: 'constant', lr: 0.3, totalSteps: 3, warmupSteps: 0 }), [0.3, 0.3, 0.3]);
  });

  it('rises to the schedule by equal steps, the last of them at its full rate', () => {
    same(rates({ schedule: 'constant', lr: 1, totalSteps: 6, warmupSteps: 4 }), [0.25, 0.5, 0.75, 1, 1, 1]);
    const cosine = { schedule: 'cosine', lr: 1, totalSteps: 10 } as const;
    const [warm, plain] = [rates({ ...cosine, warmupSteps: 4 }), rates({ ...cosine, warmupSteps: 0 })];
    same(
      warm,
      plain.map((rate, step) => rate * Math.min(1, (step + 1) / 4)),
    );
  });

  it('is 0 by a cosine at the end, and after it', () => {
    const options = { schedule: 'cosine', lr: 0.1, totalSteps: 10, warmupSteps: 0 } as const;
    same([learningRate(10, options), learningRate(15, options)], [0, 0]);
  });
});
