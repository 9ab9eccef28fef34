import { expect, test } from 'vitest';
import { awake, type Clock } from './time.js';

/** Timers in order, and a time that may jump. */
function manual(): Clock & { jump(ms: number): void } {
  let now = 0;
  let timers: { at: number; callback: () => void }[] = [];
  return {
    now: () => now,
    later: (callback, ms) => {
      const timer = { at: now + ms, callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    jump: (ms) => {
      now += ms;
      const due = timers.filter(({ at }) => at <= now);
      timers = timers.filter(({ at }) => at > now);
      for (const { callback } of due) callback();
    },
  };
}

test('what is waited for does not come nearer while the process is suspended', () => {
  const clock = manual();
  let called = 0;
  awake(clock).later(() => called++, 2000);
  clock.jump(60_000);
  clock.jump(500);
  clock.jump(500);
  expect(called).toBe(0);
  clock.jump(500);
  expect(called).toBe(1);
});

test('a wait that is called off stays so, in any piece of it', () => {
  const clock = manual();
  let called = 0;
  const cancel = awake(clock).later(() => called++, 2000);
  clock.jump(500);
  cancel();
  for (let i = 0; i < 10; i++) clock.jump(500);
  expect(called).toBe(0);
});
