import type { Position, TrainingEvent } from '@trainer/protocol';
import { expect, it } from 'vitest';
import { testCheckpoint } from '../report/test-checkpoint.js';
import { quiet } from '../simulation/clock.js';
import { Saver } from './saver.js';

const at = (step: number): Position => ({ epoch: 1, epochs: 1, step, steps: 9, stepInEpoch: step, stepsPerEpoch: 9 });

/** A saver whose writing ends when told. */
function slowSaver() {
  const events: TrainingEvent[] = [];
  const writing: { done: (path: string) => void; fail: (error: Error) => void }[] = [];
  const write = (): Promise<string> => new Promise((done, fail) => writing.push({ done, fail }));
  const saver = new Saver({ checkpoint: write, commit: write, onEvent: (event) => events.push(event) });
  return { saver, events, writing };
}

it('tells of a save once it is written, with where and of which step', async () => {
  const { saver, events, writing } = slowSaver();
  saver.checkpoint(testCheckpoint(3), at(3), true);
  await quiet();
  expect([saver.busy, events]).toEqual([true, []]);
  writing[0]!.done('run/checkpoints/3');
  await saver.settled();
  expect(saver.busy).toBe(false);
  saver.commit(testCheckpoint(4), at(4));
  writing[1]!.done('run/commits/4');
  await saver.settled();
  expect(events).toEqual([
    { type: 'checkpoint', position: at(3), path: 'run/checkpoints/3', best: true },
    { type: 'commit', position: at(4), path: 'run/commits/4' },
  ]);
});

it('throws a failed save at whoever waits for it next, and tells of none', async () => {
  const { saver, events, writing } = slowSaver();
  saver.commit(testCheckpoint(3), at(3));
  writing[0]!.fail(new Error('no space left'));
  await quiet();
  expect(saver.busy).toBe(false);
  await expect(saver.settled()).rejects.toThrow('no space left');
  expect(events).toEqual([]);
});
