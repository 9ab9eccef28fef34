import { expect, it } from 'vitest';
import { quiet } from '../simulation/clock.js';
import { ControlLog } from './control-log.js';

const pause = { control: 'p', action: 'pause' } as const;
const slower = { control: 's', action: 'lr', factor: 0.5 } as const;
const stop = { control: 'end', action: 'stop' } as const;

it('answers the same id with the same effect, at the step of its first', async () => {
  const log = new ControlLog();
  const effects = [log.add(pause), log.add(pause)];
  log.tookEffect('p', { step: 3 });
  log.tookEffect('p', { step: 8 });
  log.tookEffect('unknown', { step: 1 });
  expect(await Promise.all([...effects, log.add(pause)])).toEqual([{ step: 3 }, { step: 3 }, { step: 3 }]);
});

it('keeps what a coordinator started anew has yet to do, and what it has to do again at which step', () => {
  const log = new ControlLog();
  for (const control of [pause, slower, stop]) void log.add(control);
  expect(log.waiting).toEqual([pause, slower, stop]);
  log.tookEffect('s', { step: 5 });
  expect(log.waiting).toEqual([pause, stop]);
  expect(log.effects).toEqual([{ ...slower, atStep: 5 }]);
});

it('forgets with a run what was done to it, but no stop, and nothing that waits', () => {
  const log = new ControlLog();
  for (const control of [pause, slower, stop]) void log.add(control);
  log.tookEffect('s', { step: 5 });
  log.tookEffect('end', { step: 6 });
  log.forgetEffects();
  expect(log.effects).toEqual([{ ...stop, atStep: 6 }]);
  expect(log.waiting).toEqual([pause]);
});

it('answers all that waits once nothing will take effect any more, and what comes after that', async () => {
  const log = new ControlLog();
  let answered = 0;
  void log.add(pause).then(({ step }) => (answered = step));
  await quiet();
  expect(answered).toBe(0);
  log.end(9);
  await quiet();
  expect(answered).toBe(9);
  expect(await log.add(slower)).toEqual({ step: 9 });
});
