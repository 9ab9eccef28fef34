import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../random.js';
import { SimulatedClock } from './clock.js';

describe('the simulated clock', () => {
  it('goes from timer to timer, in order of time and then of setting', async () => {
    const clock = new SimulatedClock();
    const happened: string[] = [];
    const note = (what: string) => () => happened.push(`${what} ${clock.now()}`);
    clock.later(note('late'), 3_600_000);
    clock.later(note('b'), 5);
    clock.later(note('c'), 5);
    clock.later(note('a'), 0);
    await clock.advance(5);
    expect(happened).toEqual(['a 1', 'b 5', 'c 5']);
    await clock.advance(3_600_000);
    expect(happened.at(-1)).toBe('late 3600000');
    expect([clock.now(), clock.pending]).toEqual([3_600_005, 0]);
  });

  it('lets promises go as far as they do before time goes on', async () => {
    const clock = new SimulatedClock();
    const sleep = (ms: number): Promise<void> => new Promise((resolve) => clock.later(resolve, ms));
    const times: number[] = [];
    const loop = async (): Promise<void> => {
      for (let i = 0; i < 3; i++) {
        await sleep(10);
        for (let tick = 0; tick < 20; tick++) await Promise.resolve();
        times.push(clock.now());
      }
    };
    void loop();
    await clock.advance(100);
    expect(times).toEqual([10, 20, 30]);
  });

  it('does not let timers go off that were called off, whenever that is', async () => {
    const clock = new SimulatedClock();
    const happened: string[] = [];
    const cancel = clock.later(() => happened.push('never'), 10);
    clock.later(() => cancel(), 5);
    const gone = clock.later(() => happened.push('once'), 6);
    await clock.advance(20);
    gone();
    cancel();
    expect([happened, clock.pending]).toEqual([['once'], 0]);
  });

  it('takes what Node takes: whole milliseconds, at least 1, and none that would wrap round', async () => {
    const clock = new SimulatedClock();
    const times: number[] = [];
    for (const ms of [-5, 0, 1.9, 2]) clock.later(() => times.push(clock.now()), ms);
    await clock.advance(10);
    expect(times).toEqual([1, 1, 1, 2]);
    for (const ms of [2 ** 31, Number.POSITIVE_INFINITY, Number.NaN]) expect(() => clock.later(() => {}, ms)).toThrow(RangeError);
  });

  it('is late by its seed, never early', async () => {
    const run = async (seed: number): Promise<number[]> => {
      const clock = new SimulatedClock({ random: randomStream(seed), maxLateMs: 3 });
      const times: number[] = [];
      for (let i = 0; i < 50; i++) clock.later(() => times.push(clock.now()), 10);
      await clock.advance(20);
      return times;
    };
    const [once, again, other] = [await run(1), await run(1), await run(2)];
    expect(again).toEqual(once);
    expect(other).not.toEqual(once);
    expect(once.every((time) => time >= 10 && time < 13)).toBe(true);
  });

  it('keeps any timers in order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(50), fc.boolean()), { maxLength: 60 }), (timers) => {
        const clock = new SimulatedClock();
        const happened: [number, number][] = [];
        const cancels = timers.map(([ms], order) => clock.laterExactly(() => happened.push([ms, order]), ms));
        timers.forEach(([, kept], order) => {
          if (!kept) cancels[order]!();
        });
        while (clock.step());
        const expected = timers.flatMap(([ms, kept], order) => (kept ? [[ms, order] as [number, number]] : []));
        expect(happened).toEqual(expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]));
      }),
    );
  });

  it('ends the timers of a process that is killed, and of no other', async () => {
    const clock = new SimulatedClock();
    const [killed, other] = [clock.fork(), clock.fork()];
    const happened: string[] = [];
    killed.later(() => happened.push('before'), 5);
    killed.later(() => happened.push('after'), 15);
    killed.later(() => happened.push('called off'), 6)();
    other.later(() => happened.push(`other ${other.now()}`), 15);
    await clock.advance(10);
    killed.kill();
    killed.later(() => happened.push('dead'), 1);
    await clock.advance(10);
    expect([happened, clock.pending]).toEqual([['before', 'other 15'], 0]);
  });
});
