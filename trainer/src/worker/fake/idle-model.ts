// A model that only takes time: for benchmarks of what surrounds a device, where there is none. Its steps last as long as they are
// told to and learn nothing; what it exchanges has the real layout and passes through memory as a real model's gradients do.
import type { Side } from '@trainer/protocol';
import type { ExchangeLayout, ExchangeMemory } from '../../allreduce/contract.js';
import type { InitialValue, ParameterRecord } from '../../nn/contract.js';
import type { ModelTensors } from '../../report/contract.js';
import type { Clock } from '../../time.js';
import type { DeviceModel, SharedOutcome, SharedStep } from '../device.js';
import { exactLength, normsOf } from '../exact.js';
import type { StepOutcome } from '../step.js';

export interface IdleModelOptions {
  readonly side: Side;
  readonly title: string;
  readonly initial: ParameterRecord<InitialValue>;
  readonly isFrozen: (name: string) => boolean;
  readonly clock: Clock;
  /** Of a step: gradients and their application. */
  readonly stepMs: number;
}

/** Timers fire up to so much late: the rest of a wait is by the kernel's own, which do not. */
const TIMER_SLACK_MS = 2;
const NOTHING: StepOutcome = { loss: 0, correct: 0 };

export class IdleModel implements DeviceModel {
  readonly side: Side;
  readonly title: string;
  readonly layout: ExchangeLayout;
  readonly norms = [];
  readonly #options: IdleModelOptions;
  readonly #gradients: ExchangeMemory;
  readonly #means: ExchangeMemory;
  readonly #nobody = new Int32Array(new SharedArrayBuffer(4));

  constructor(options: IdleModelOptions) {
    const { side, title, initial, isFrozen } = options;
    this.side = side;
    this.title = title;
    this.#options = options;
    const entries = Object.entries(initial);
    const trained = entries.filter(([name, { trainable }]) => trainable && !isFrozen(name));
    this.layout = {
      gradients: trained.map(([, { data }]) => data.length),
      exact: [exactLength(normsOf(entries.map(([name, { data }]) => [name, data.length])))],
    };
    this.#gradients = memoryOf(this.layout);
    this.#means = memoryOf(this.layout);
  }

  async train(): Promise<StepOutcome> {
    await this.#wait();
    return NOTHING;
  }

  async trainShared({ batches, exchange }: SharedStep): Promise<SharedOutcome> {
    const { clock } = this.#options;
    const began = clock.now();
    await this.#wait();
    const computeMs = clock.now() - began;
    const examples = batches.reduce((sum, { labels }) => sum + labels.data.length, 0);
    const times = await exchange({ ...this.#gradients, examples }, this.#means);
    return { ...NOTHING, computeMs, applyMs: 0, times };
  }

  async evaluate(): Promise<StepOutcome> {
    return NOTHING;
  }

  setPixels(): void {}

  snapshot(): ModelTensors {
    return { values: {}, velocities: {} };
  }

  restore(): void {}

  /** JavaScript goes on until shortly before the end, as beside a device. */
  async #wait(): Promise<void> {
    const { clock, stepMs } = this.#options;
    const ends = clock.now() + stepMs;
    await new Promise<void>((resolve) => clock.later(resolve, Math.max(0, stepMs - TIMER_SLACK_MS)));
    const leftMs = ends - clock.now();
    if (leftMs > 0) Atomics.wait(this.#nobody, 0, 0, leftMs);
  }
}

/** Written to, so that it is there. */
const memoryOf = ({ gradients, exact }: ExchangeLayout): ExchangeMemory => {
  const arrays = (lengths: readonly number[]): Float32Array[] => lengths.map((length) => new Float32Array(length).fill(1));
  return { gradients: arrays(gradients), exact: arrays(exact) };
};
