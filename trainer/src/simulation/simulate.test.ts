import { describe, expect, it } from 'vitest';
import { answerRequests, type ReplyMessage, type RequestMessage, Requests } from '../link/requests.js';
import type { Clock } from '../time.js';
import { type ChannelFaults, SOCKET, simulatedChannelPair } from './channels.js';
import { firstFailure, type Scenario, type Simulation, type SimulationFailure, simulate } from './simulate.js';

type Request = RequestMessage<number>;
type Reply = ReplyMessage<number>;

const sleep = (clock: Clock, ms: number): Promise<void> => new Promise((resolve) => clock.later(resolve, ms));

/** Asks another end to count, 100 times. */
function counting({ clock, random, trace }: Simulation, faults: ChannelFaults, count: (n: number) => Promise<number> | number) {
  const { a, b } = simulatedChannelPair<Request, Reply>({
    clock,
    random: random('line'),
    faults,
    trace,
    names: ['asker', 'counter'],
  });
  answerRequests<number, number>(b, count);
  const requests = new Requests<number, number>(a, clock);
  return { requests, a };
}

const steady: Scenario = async (simulation) => {
  let sum = 0;
  const { requests, a } = counting(simulation, SOCKET, async (n) => {
    await sleep(simulation.clock, simulation.random('work', n).below(20));
    sum += n;
    return sum;
  });
  simulation.always('the sum is never negative', () => sum >= 0);
  for (let n = 0; n < 100; n++)
    simulation.check((await requests.call(n, { deadlineMs: 10_000 })) === sum, 'the reply is the sum');
  a.close();
  await a.closed;
};

/** Over a line that loses messages: wrong by intent, as a request that was answered may be asked again. */
const retrying: Scenario = async (simulation) => {
  let counted = 0;
  const { requests } = counting(simulation, { delayMs: [1, 5], drop: 0.01 }, () => ++counted);
  for (let n = 1; n <= 50; n++) {
    const ask = (): Promise<number> => requests.call(n, { deadlineMs: 50 });
    simulation.check((await ask().catch(ask)) === n, 'each request counts once');
  }
};

const fails = (scenario: Scenario, seed = 1): Promise<SimulationFailure> =>
  simulate({ seed, scenario, limitMs: 60_000 }).then(
    () => {
      throw new Error('did not fail');
    },
    (error) => error,
  );

describe('a simulation', () => {
  it('gives the same trace for the same seed, to the bit, and others for others', async () => {
    const run = (seed: number): Promise<readonly string[]> => simulate({ seed, scenario: steady, limitMs: 600_000 });
    const traces: string[] = [];
    for (let seed = 0; seed < 5; seed++) {
      const [once, again] = [await run(seed), await run(seed)];
      expect(again).toEqual(once);
      expect(once.length).toBeGreaterThan(400);
      traces.push(once.join('\n'));
    }
    expect(new Set(traces).size).toBe(5);
  });

  it('answers for time and chance that code asks the process for', async () => {
    const originals = [performance.now, Date.now, Math.random];
    const scenario: Scenario = async ({ clock, trace }) => {
      for (let i = 0; i < 3; i++) {
        await sleep(clock, 1000);
        trace.add(`${performance.now() - clock.now()} ${new Date(Date.now()).toISOString()} ${Math.random()}`);
      }
    };
    const run = (): Promise<readonly string[]> => simulate({ seed: 3, scenario, limitMs: 10_000 });
    const once = await run();
    expect(await run()).toEqual(once);
    expect(once[2]).toMatch(/^300\d\.\d+ 0 2026-01-01T00:00:03/);
    expect([performance.now, Date.now, Math.random]).toEqual(originals);
  });

  it('passes where nothing is wrong, at any seed', async () => {
    expect(await firstFailure({ seeds: 20, scenario: steady, limitMs: 600_000 })).toBeUndefined();
  });

  it('finds a fault that only some seeds show, which then shows at that seed each time', async () => {
    const failure = (await firstFailure({ seeds: 100, scenario: retrying, limitMs: 60_000 }))!;
    expect(failure.fault).toBe('invariant');
    expect(failure.message).toMatch(new RegExp(`^seed ${failure.seed}: invariant: each request counts once; the last events:\n`));
    const again = await fails(retrying, failure.seed);
    expect(again.message).toBe(failure.message);
    expect(again.trace).toEqual(failure.trace);
    expect(failure.trace.some((line) => line.includes('drops'))).toBe(true);
  });

  it('fails where nothing is left to wait for, where it takes too long, and where time stands still', async () => {
    expect(await fails(() => new Promise(() => {}))).toMatchObject({ fault: 'hang' });
    const forever: Scenario = async ({ clock }) => {
      for (;;) await sleep(clock, 100);
    };
    expect((await fails(forever)).message).toMatch(/^seed 1: hang: no end within 60000 ms/);
    const circle: Scenario = ({ clock }) => {
      const again = (): void => void clock.laterExactly(again, 0);
      again();
      return new Promise(() => {});
    };
    expect((await fails(circle)).message).toMatch(/^seed 1: hang: 10000 events, and no time passed/);
  });

  it('fails of an invariant, though the code that breaks it goes on and time does not', async () => {
    let value = 0;
    const failure = await fails(async ({ clock, always }) => {
      always('the value is small', () => value < 5);
      for (;;) {
        await sleep(clock, 10);
        value++;
      }
    });
    expect(failure).toMatchObject({ fault: 'invariant' });
    expect(value).toBe(5);
  });

  it('fails of a check whose error is caught', async () => {
    const failure = await fails(async ({ check, clock }) => {
      try {
        check(false, 'it holds');
      } catch {}
      await sleep(clock, 1);
    });
    expect(failure).toMatchObject({ fault: 'invariant', cause: new Error('it holds') });
  });

  it('fails of errors that nobody handles: of the scenario, of timers, of promises, of listeners', async () => {
    const broken = (): never => {
      throw new Error('broken');
    };
    const within = (start: (simulation: Simulation) => void): Promise<SimulationFailure> =>
      fails(async (simulation) => {
        start(simulation);
        await sleep(simulation.clock, 100);
      });
    const listeners = process.rawListeners('unhandledRejection');
    expect(await fails(broken)).toMatchObject({ fault: 'error' });
    expect(await within(({ clock }) => clock.later(broken, 5))).toMatchObject({ fault: 'error', cause: new Error('broken') });
    expect(await within(() => void Promise.resolve().then(broken))).toMatchObject({ fault: 'unhandled' });
    expect(await within(() => queueMicrotask(broken))).toMatchObject({ fault: 'unhandled' });
    const ofListener = await within(({ clock, random, trace }) => {
      const names = ['x', 'y'] as const;
      const { a, b } = simulatedChannelPair<number, number>({ clock, random: random(), faults: SOCKET, trace, names });
      b.onMessage(broken);
      void a.send(1);
    });
    expect(ofListener).toMatchObject({ fault: 'error', cause: new Error('broken') });
    expect(process.rawListeners('unhandledRejection')).toEqual(listeners);
  });
});
