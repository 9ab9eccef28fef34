// Time that passes only from event to event: hours take milliseconds, and the same seed gives the same hours.
import type { RandomStream } from '../random.js';
import type { Clock } from '../time.js';

/** Node takes a longer delay for 1 ms. */
const LONGEST_MS = 2 ** 31 - 1;

/** How late timers are, as on a busy machine. Without it they are exact, and equal ones go off in the order they were set. */
export interface Lateness {
  readonly random: RandomStream;
  readonly maxLateMs: number;
}

interface Timer {
  readonly time: number;
  readonly order: number;
  /** Undefined once called off. */
  callback: (() => void) | undefined;
}

const before = (a: Timer, b: Timer): boolean => a.time < b.time || (a.time === b.time && a.order < b.order);

export class SimulatedClock implements Clock {
  readonly #lateness: Lateness | undefined;
  /** A binary heap, earliest first. */
  readonly #timers: Timer[] = [];
  #now = 0;
  #set = 0;
  #pending = 0;

  constructor(lateness?: Lateness) {
    this.#lateness = lateness;
  }

  now(): number {
    return this.#now;
  }

  /** Timers that have neither gone off nor been called off. */
  get pending(): number {
    return this.#pending;
  }

  /** Whole milliseconds, at least 1, as Node's. @throws RangeError where Node would not wait at all */
  later(callback: () => void, ms: number): () => void {
    if (!(ms <= LONGEST_MS)) throw new RangeError(`a timer of ${ms} ms: Node's wait at most ${LONGEST_MS}`);
    const late = this.#lateness ? this.#lateness.random.uniform() * this.#lateness.maxLateMs : 0;
    return this.laterExactly(callback, Math.max(1, Math.trunc(ms)) + late);
  }

  /** For what is no timer, such as the arrival of a message: any delay, never late. */
  laterExactly(callback: () => void, ms: number): () => void {
    return this.at(callback, this.#now + ms);
  }

  /** At a time, which no sum rounds: what is set for one time happens in the order it was set. */
  at(callback: () => void, time: number): () => void {
    const timer: Timer = { time, order: this.#set++, callback };
    this.#push(timer);
    this.#pending++;
    return () => {
      if (!timer.callback) return;
      timer.callback = undefined;
      this.#pending--;
    };
  }

  /**
   * Goes to the next timer, and lets it go off.
   * @returns false, with the time as it was, where there is none up to `until`
   */
  step(until = Number.POSITIVE_INFINITY): boolean {
    while (this.#timers.length > 0 && !this.#timers[0]!.callback) this.#pop();
    const next = this.#timers[0];
    if (!next || next.time > until) return false;
    this.#pop();
    this.#now = next.time;
    const callback = next.callback!;
    next.callback = undefined;
    this.#pending--;
    callback();
    return true;
  }

  /** Lets all happen that happens within `ms`. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    do await quiet();
    while (this.step(end));
    this.#now = end;
  }

  /** A clock for what can be killed: with it, all its timers end. */
  fork(): ProcessClock {
    return new ProcessClock(this);
  }

  #push(timer: Timer): void {
    const timers = this.#timers;
    let at = timers.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(timer, timers[parent]!)) break;
      timers[at] = timers[parent]!;
      at = parent;
    }
    timers[at] = timer;
  }

  #pop(): void {
    const timers = this.#timers;
    const last = timers.pop()!;
    if (timers.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= timers.length) break;
      if (child + 1 < timers.length && before(timers[child + 1]!, timers[child]!)) child++;
      if (!before(timers[child]!, last)) break;
      timers[at] = timers[child]!;
      at = child;
    }
    timers[at] = last;
  }
}

/** The clock of one simulated process. */
export class ProcessClock implements Clock {
  readonly #clock: SimulatedClock;
  readonly #cancels = new Set<() => void>();
  #killed = false;

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  later(callback: () => void, ms: number): () => void {
    if (this.#killed) return () => {};
    const cancel = this.#clock.later(() => {
      this.#cancels.delete(cancel);
      callback();
    }, ms);
    this.#cancels.add(cancel);
    return () => {
      this.#cancels.delete(cancel);
      cancel();
    };
  }

  /** No timer goes off any more, nor can be set. */
  kill(): void {
    this.#killed = true;
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }
}

/** Resolves when all promises have gone as far as they do without a timer or a message. */
export const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
