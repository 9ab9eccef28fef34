import { describe, expect, it } from 'vitest';
import { Plan } from '../worker/plan.js';
import { RunClock } from './clock.js';

function testClock(before = 0): { clock: RunClock; pass: (seconds: number) => void } {
  let now = 1000;
  const clock = new RunClock(before, () => now);
  return {
    clock,
    pass: (seconds) => {
      now += seconds * 1000;
    },
  };
}

describe('the clock of a run', () => {
  it('keeps training, validation and checkpoints apart, and goes on from earlier parts', () => {
    const { clock, pass } = testClock(100);
    pass(5);
    clock.enter('validation');
    pass(2);
    clock.enter('checkpoint');
    pass(1);
    clock.enter('training');
    pass(4);
    expect(clock.seconds).toEqual({ training: 9, validation: 2, checkpoint: 1, paused: 0, steps: 0 });
    expect(clock.elapsed).toBe(112);
  });

  it('foretells the rest by steps without compilation, and by the validations so far', () => {
    const plan = new Plan(20, { epochs: 4, maxSteps: null, batchSize: 10, schedule: 'constant', lr: 0.1, warmup: 0 });
    const { clock, pass } = testClock();
    clock.addStep(10, true);
    clock.addStep(2, false);
    expect(clock.eta(plan, 2)).toBe(6 * 2);
    clock.enter('validation');
    pass(3);
    clock.enter('training');
    expect(clock.eta(plan, 2)).toBe(6 * 2 + 3 * 3);
    expect(clock.eta(plan, 8)).toBe(0);
  });
});
