// Where the time of a run goes, and how long the rest will take.
import type { Plan } from '../worker/plan.js';

const PHASES = ['training', 'validation', 'checkpoint', 'paused'] as const;
type Phase = (typeof PHASES)[number];

/** Seconds by phase; `steps` is the part of training that the engine computed. */
export type PhaseSeconds = Readonly<Record<Phase | 'steps', number>>;

export class RunClock {
  readonly #seconds: Record<Phase | 'steps', number> = {
    training: 0,
    validation: 0,
    checkpoint: 0,
    paused: 0,
    steps: 0,
  };
  readonly #now: () => number;
  readonly #began: number;
  readonly #before: number;
  #phase: Phase = 'training';
  #since: number;
  #timedSteps = 0;
  #timedSeconds = 0;
  #validations = 0;

  /** @param before seconds that earlier parts of the run took; `now` in milliseconds. */
  constructor(before: number, now: () => number = () => performance.now()) {
    this.#before = before;
    this.#now = now;
    this.#began = now();
    this.#since = this.#began;
  }

  /** Seconds of the run so far, without pauses. */
  get elapsed(): number {
    return this.#before + (this.#now() - this.#began) / 1000 - this.seconds.paused;
  }

  get phase(): Phase {
    return this.#phase;
  }

  get seconds(): PhaseSeconds {
    this.enter(this.#phase);
    return { ...this.#seconds };
  }

  enter(phase: Phase): void {
    const now = this.#now();
    this.#seconds[this.#phase] += (now - this.#since) / 1000;
    if (phase === 'validation' && this.#phase !== phase) this.#validations++;
    this.#phase = phase;
    this.#since = now;
  }

  /** A step of all models; one that compiled something says nothing about those to come. */
  addStep(seconds: number, compiled: boolean): void {
    this.#seconds.steps += seconds;
    if (compiled) return;
    this.#timedSteps++;
    this.#timedSeconds += seconds;
  }

  /** Mean seconds of one step of all models. */
  get stepSeconds(): number {
    return this.#timedSteps > 0 ? this.#timedSeconds / this.#timedSteps : this.#seconds.steps;
  }

  /** Seconds until the end of the run after `step` steps, validations as long as those so far. */
  eta(plan: Plan, step: number): number {
    const epochsLeft = plan.epochs - Math.floor(step / plan.stepsPerEpoch);
    const others = this.#validations > 0 ? (this.#seconds.validation + this.#seconds.checkpoint) / this.#validations : 0;
    return (plan.steps - step) * this.stepSeconds + epochsLeft * others;
  }
}
