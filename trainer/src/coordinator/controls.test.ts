import { describe, expect, it, vi } from 'vitest';
import { quiet } from '../simulation/clock.js';
import { Controls } from './controls.js';

const none = (): void => undefined;

/** Controls, and what was answered under which id. */
function track() {
  const controls = new Controls();
  const answers: string[] = [];
  const ask = (control: string, action: 'pause' | 'resume' | 'stop' | 'checkpoint' | 'lr', more = {}): void =>
    void controls.request({ control, action, ...more }).then(({ step }) => answers.push(`${control} ${step}`));
  return { controls, answers, ask };
}

describe('controls', () => {
  it('take effect between two steps, in the order they came, and say after which', async () => {
    const { controls, answers, ask } = track();
    ask('a', 'lr', { factor: 0.5 });
    ask('b', 'lr', { factor: 0.25 });
    await quiet();
    expect([controls.lrFactor, answers]).toEqual([1, []]);
    await controls.settle(7, none);
    expect([controls.lrFactor, answers]).toEqual([0.25, ['a 7', 'b 7']]);
  });

  it('have their effect once, however often they arrive', async () => {
    const { controls, answers, ask } = track();
    ask('once', 'checkpoint');
    await controls.settle(3, none);
    expect(controls.takeCheckpoint()).toBe(true);
    ask('once', 'checkpoint');
    await controls.settle(4, none);
    expect(controls.takeCheckpoint()).toBe(false);
    await quiet();
    expect(answers).toEqual(['once 3', 'once 3']);
  });

  it('that are repeated wait for their step; those of before the beginning are done', async () => {
    const { controls, answers, ask } = track();
    ask('before', 'lr', { factor: 0.1, atStep: 2 });
    ask('later', 'lr', { factor: 0.2, atStep: 6 });
    controls.begin(4, 0.5);
    await controls.settle(5, none);
    expect(controls.lrFactor).toBe(0.5);
    await controls.settle(6, none);
    await quiet();
    expect(controls.lrFactor).toBe(0.2);
    expect(answers).toEqual(['before 2', 'later 6']);
  });

  it('never overtake one that is repeated, but for a stop', async () => {
    const { controls, answers, ask } = track();
    ask('first', 'pause', { atStep: 6 });
    ask('then', 'resume');
    controls.begin(4, 1);
    await controls.settle(4, none);
    ask('now', 'lr', { factor: 0.5 });
    await controls.settle(5, none);
    expect(controls.lrFactor).toBe(1);
    await controls.settle(6, none);
    await quiet();
    expect(answers).toEqual(['first 6', 'then 6', 'now 6']);
    ask('much later', 'lr', { factor: 0.1, atStep: 9 });
    ask('end', 'stop');
    await controls.settle(7, none);
    expect([controls.stopped, controls.lrFactor]).toEqual([true, 0.5]);
  });

  it('hold a paused run, and let it go on', async () => {
    const { controls, answers, ask } = track();
    ask('wait', 'pause');
    const onPause = vi.fn();
    let settled = false;
    const settling = controls.settle(5, onPause).then(() => {
      settled = true;
    });
    ask('slower', 'lr', { factor: 0.5 });
    await quiet();
    expect([settled, onPause.mock.calls.length, controls.lrFactor]).toEqual([false, 1, 0.5]);
    ask('go', 'resume');
    await settling;
    expect(controls.paused).toBe(false);
    expect(answers).toEqual(['wait 5', 'slower 5', 'go 5']);
  });

  it('stop a paused run', async () => {
    const { controls, ask } = track();
    ask('wait', 'pause');
    const settling = controls.settle(5, none);
    ask('end', 'stop');
    await settling;
    expect([controls.stopped, controls.paused]).toEqual([true, false]);
  });

  it('let a paused run write a checkpoint', async () => {
    const { controls, ask } = track();
    ask('wait', 'pause');
    const settling = controls.settle(5, none);
    ask('save', 'checkpoint');
    await settling;
    expect([controls.takeCheckpoint(), controls.paused]).toEqual([true, true]);
  });

  it('tell at once that a stop was asked for, unless it is of a later step', () => {
    const { controls, ask } = track();
    ask('later', 'stop', { atStep: 9 });
    expect(controls.stopAsked).toBe(false);
    ask('now', 'stop');
    expect([controls.stopAsked, controls.stopped]).toEqual([true, false]);
  });

  it('that still wait when the run is over are answered with its last step', async () => {
    const { controls, answers, ask } = track();
    ask('never', 'pause');
    controls.end(12);
    await quiet();
    expect(answers).toEqual(['never 12']);
  });
});
