import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Plan, partOf } from './plan.js';

const config = { epochs: 3, maxSteps: null, batchSize: 8, schedule: 'constant', lr: 0.1, warmup: 0 } as const;

describe('a plan', () => {
  it('covers each epoch exactly, the last batch with what is left', () => {
    const plan = new Plan(20, config);
    expect(plan).toMatchObject({ stepsPerEpoch: 3, steps: 9, epochs: 3 });
    expect([0, 1, 2, 3].map((step) => plan.batch(step))).toEqual([
      { epoch: 1, start: 0, count: 8 },
      { epoch: 1, start: 8, count: 8 },
      { epoch: 1, start: 16, count: 4 },
      { epoch: 2, start: 0, count: 8 },
    ]);
  });

  it('ends at the last step asked for, within an epoch too', () => {
    const plan = new Plan(20, { ...config, maxSteps: 4 });
    expect(plan).toMatchObject({ steps: 4, epochs: 2 });
    expect([1, 2, 3, 4].map((step) => plan.isEpochEnd(step))).toEqual([false, false, true, true]);
  });

  it('says where a run stands as people count, and in completed steps as data does', () => {
    const plan = new Plan(20, config);
    expect(plan.position(0)).toMatchObject({ epoch: 1, step: 0, stepInEpoch: 0 });
    expect(plan.position(3)).toMatchObject({ epoch: 1, step: 3, stepInEpoch: 3, stepsPerEpoch: 3 });
    expect(plan.position(4)).toMatchObject({ epoch: 2, step: 4, stepInEpoch: 1 });
  });

  it('warms up over the epochs asked for', () => {
    const plan = new Plan(20, { ...config, warmup: 1 });
    expect([0, 1, 2, 3].map((step) => plan.lr(step))).toEqual([0.1 / 3, 0.2 / 3, 0.1, 0.1].map((lr) => expect.closeTo(lr, 12)));
  });

  it('gives every example to one batch of each epoch, whatever the sizes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 64 }), (examples, batchSize) => {
        const plan = new Plan(examples, { ...config, batchSize });
        let next = 0;
        for (let step = 0; step < plan.stepsPerEpoch; step++) {
          const { start, count, epoch } = plan.batch(step);
          expect([start, epoch]).toEqual([next, 1]);
          next = start + count;
        }
        expect(next).toBe(examples);
      }),
    );
  });
});

describe('a part of a range', () => {
  it('is as large as the others or one larger, and all of them are the range in order', () => {
    const sizes = fc.record({ start: fc.nat(1000), count: fc.nat(300), parts: fc.integer({ min: 1, max: 16 }) });
    fc.assert(
      fc.property(sizes, ({ start, count, parts }) => {
        const ranges = Array.from({ length: parts }, (_, part) => partOf({ start, count }, part, parts));
        expect(ranges.map((range) => range.start)).toEqual(
          ranges.map((_, i) => ranges.slice(0, i).reduce((sum, range) => sum + range.count, start)),
        );
        expect(ranges.reduce((sum, range) => sum + range.count, 0)).toBe(count);
        const counts = ranges.map((range) => range.count);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }),
    );
  });
});
