// What code can ask the whole process for instead of being handed it: time, chance, and who takes its unhandled errors. While a
// simulation runs, the answers are the simulation's.
import type { RandomStream } from '../random.js';
import type { Clock } from '../time.js';

export interface Ambient {
  readonly clock: Clock;
  readonly random: RandomStream;
  readonly onUnhandled: (error: unknown) => void;
}

const UNHANDLED = ['unhandledRejection', 'uncaughtException'] as const;
/** Some day: dates are the same in every run. */
const FIRST_DATE = Date.UTC(2026, 0, 1);

/** `performance.now`, `Date.now` and `Math.random` are the simulation's until what runs has ended; `new Date` is not. */
export async function withAmbient<T>({ clock, random, onUnhandled }: Ambient, run: () => Promise<T>): Promise<T> {
  const originals = [performance.now, Date.now, Math.random] as const;
  // Whoever listens for errors, such as a test runner that would fail of them.
  const listeners = UNHANDLED.map((event) => process.rawListeners(event) as ((...args: unknown[]) => void)[]);
  performance.now = () => clock.now();
  Date.now = () => FIRST_DATE + clock.now();
  Math.random = () => random.uniform();
  for (const event of UNHANDLED) process.removeAllListeners(event).on(event, onUnhandled);
  try {
    return await run();
  } finally {
    [performance.now, Date.now, Math.random] = originals;
    UNHANDLED.forEach((event, i) => {
      process.removeListener(event, onUnhandled);
      for (const listener of listeners[i]!) process.on(event, listener);
    });
  }
}
