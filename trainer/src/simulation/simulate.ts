// Runs a scenario on simulated time by a seed, and fails where it hangs, breaks an invariant, or lets an error go unhandled.
import { type RandomStream, randomStream } from '../random.js';
import { withAmbient } from './ambient.js';
import { quiet, SimulatedClock } from './clock.js';
import { Trace } from './trace.js';

/**
 * What a scenario has to play with. All that differs between seeds must come from `random`, all that takes time from `clock`;
 * `performance.now`, `Date.now` and `Math.random` are the simulation's too.
 */
export interface Simulation {
  readonly seed: number;
  readonly clock: SimulatedClock;
  readonly trace: Trace;
  /** The seed's stream for a purpose: one for each, so that a change to one leaves the others as they were. */
  random(...labels: (string | number)[]): RandomStream;
  /** Fails the simulation, even where the code that is tested catches what is thrown. */
  check(holds: boolean, what: string): void;
  /** What is checked after each event from now on. */
  always(what: string, holds: () => boolean): void;
}

export type Scenario = (simulation: Simulation) => Promise<void>;

export interface SimulateOptions {
  readonly seed: number;
  readonly scenario: Scenario;
  /** Simulated time after which the scenario counts as hanging. */
  readonly limitMs: number;
  /** Timers set by the clock's `later` go off up to so much late. Default 2 ms. */
  readonly maxLateMs?: number;
}

export type SimulationFault = 'hang' | 'invariant' | 'unhandled' | 'error';

/** Says what failed, at which seed, and what happened before. */
export class SimulationFailure extends Error {
  override readonly name = 'SimulationFailure';
  constructor(
    readonly seed: number,
    readonly fault: SimulationFault,
    what: string,
    readonly trace: readonly string[],
    options?: ErrorOptions,
  ) {
    super(`seed ${seed}: ${fault}: ${what}; the last events:\n${trace.slice(-SHOWN).join('\n')}`, options);
  }
}

const SHOWN = 40;
const DEFAULT_MAX_LATE_MS = 2;
/** So many events at one time are a circle, not a crowd. */
const MOST_AT_ONCE = 10_000;

/**
 * Plays a scenario to its end; one at a time in a process.
 * @returns the trace
 * @throws SimulationFailure
 *
 * @example
 * await simulate({ seed: 7, limitMs: 60_000, scenario: async ({ clock, random, trace }) => {
 *   const { a, b } = simulatedChannelPair<number, string>({ clock, random: random('link'), faults: SOCKET, trace, names: ['x', 'y'] });
 *   b.onMessage((n) => b.send(`${n}!`));
 *   await a.send(1);
 * }});
 */
export async function simulate(options: SimulateOptions): Promise<readonly string[]> {
  return new Run(options).play();
}

export interface FirstFailureOptions extends Omit<SimulateOptions, 'seed'> {
  /** Seeds 0 to this, excluded. */
  readonly seeds: number;
}

/** The failure of the first seed that fails; undefined where none does. */
export async function firstFailure({ seeds, ...options }: FirstFailureOptions): Promise<SimulationFailure | undefined> {
  for (let seed = 0; seed < seeds; seed++) {
    try {
      await simulate({ ...options, seed });
    } catch (error) {
      if (error instanceof SimulationFailure) return error;
      throw error;
    }
  }
  return undefined;
}

class Run {
  readonly #options: SimulateOptions;
  readonly #simulation: Simulation;
  readonly #invariants: { readonly what: string; readonly holds: () => boolean }[] = [];
  /** The first is the one that counts. */
  #failure: { readonly fault: SimulationFault; readonly cause: unknown } | undefined;
  #ended = false;
  /** Events since time last passed. */
  #atOnce = 0;

  constructor(options: SimulateOptions) {
    this.#options = options;
    const { seed, maxLateMs = DEFAULT_MAX_LATE_MS } = options;
    const clock = new SimulatedClock({ random: randomStream(seed, 'lateness'), maxLateMs });
    this.#simulation = {
      seed,
      clock,
      trace: new Trace(clock),
      random: (...labels) => randomStream(seed, 'scenario', ...labels),
      check: (holds, what) => {
        if (holds) return;
        this.fail('invariant', new Error(what));
        throw new Error(what);
      },
      always: (what, holds) => this.#invariants.push({ what, holds }),
    };
  }

  fail(fault: SimulationFault, cause: unknown): void {
    this.#failure ??= { fault, cause };
  }

  play(): Promise<readonly string[]> {
    const { clock, random } = this.#simulation;
    const onUnhandled = (error: unknown): void => this.fail('unhandled', error);
    return withAmbient({ clock, random: random('ambient'), onUnhandled }, () => this.#play());
  }

  async #play(): Promise<readonly string[]> {
    const { clock, trace } = this.#simulation;
    this.#start();
    for (;;) {
      await quiet();
      this.#checkInvariants();
      if (this.#failure) throw this.#report();
      if (this.#ended) return trace.lines;
      this.#step();
      if (this.#failure) trace.add(`stopped with ${clock.pending} timers and messages under way`);
    }
  }

  #start(): void {
    const end = (): void => {
      this.#ended = true;
    };
    // Within a promise, so that what it throws at once is no different.
    Promise.resolve(this.#simulation)
      .then(this.#options.scenario)
      .then(end, (error) => this.fail('error', error));
  }

  #step(): void {
    const { clock } = this.#simulation;
    const { limitMs } = this.#options;
    try {
      const before = clock.now();
      const moved = clock.step(limitMs);
      this.#atOnce = clock.now() > before ? 0 : this.#atOnce + 1;
      if (this.#atOnce > MOST_AT_ONCE) throw new Hang(`${MOST_AT_ONCE} events, and no time passed`);
      if (moved) return;
      throw new Hang(clock.pending > 0 ? `no end within ${limitMs} ms` : 'no timer and no message is left to wait for');
    } catch (error) {
      this.fail(error instanceof Hang ? 'hang' : 'error', error);
    }
  }

  #checkInvariants(): void {
    const broken = this.#invariants.find(({ holds }) => !holds());
    if (broken) this.fail('invariant', new Error(broken.what));
  }

  #report(): SimulationFailure {
    const { fault, cause } = this.#failure!;
    const what = cause instanceof Error ? cause.message : String(cause);
    return new SimulationFailure(this.#options.seed, fault, what, this.#simulation.trace.lines, { cause });
  }
}

class Hang extends Error {}
