// The arithmetic of a run: how many steps it has, where each stands, at which learning rate.
import type { Position, RunConfig } from '@trainer/protocol';
import { learningRate } from '../optim/schedule.js';

type PlanConfig = Pick<RunConfig, 'epochs' | 'maxSteps' | 'batchSize' | 'schedule' | 'lr' | 'warmup'>;

/** Part of a row of examples: `count` of them from `start`. */
export interface Range {
  readonly start: number;
  readonly count: number;
}

/** The part of a range that one of `parts` gets: sizes differ by at most one, and together they are the range. */
export function partOf({ start, count }: Range, part: number, parts: number): Range {
  const at = (n: number): number => Math.floor((count * n) / parts);
  return { start: start + at(part), count: at(part + 1) - at(part) };
}

/** The course of a run over `examples` training images. The last batch of an epoch holds what is left, so that an epoch is exact. */
export class Plan {
  readonly examples: number;
  readonly batchSize: number;
  readonly stepsPerEpoch: number;
  /** Steps of the whole run. */
  readonly steps: number;
  readonly epochs: number;
  readonly #config: PlanConfig;

  constructor(examples: number, config: PlanConfig) {
    this.#config = config;
    this.examples = examples;
    this.batchSize = config.batchSize;
    this.stepsPerEpoch = Math.ceil(examples / config.batchSize);
    this.steps = Math.min(config.epochs * this.stepsPerEpoch, config.maxSteps ?? Number.POSITIVE_INFINITY);
    this.epochs = Math.ceil(this.steps / this.stepsPerEpoch);
  }

  /** Where the run stands after `step` steps; at the end of an epoch, still in it. */
  position(step: number): Position {
    const epoch = Math.max(1, Math.ceil(step / this.stepsPerEpoch));
    return {
      epoch,
      epochs: this.epochs,
      step,
      steps: this.steps,
      stepInEpoch: step - (epoch - 1) * this.stepsPerEpoch,
      stepsPerEpoch: this.stepsPerEpoch,
    };
  }

  /** The batch of the step that follows `step` completed ones: its epoch (1-based), and where in that epoch's order it lies. */
  batch(step: number): { readonly epoch: number; readonly start: number; readonly count: number } {
    const start = (step % this.stepsPerEpoch) * this.batchSize;
    const epoch = Math.floor(step / this.stepsPerEpoch) + 1;
    return { epoch, start, count: Math.min(this.batchSize, this.examples - start) };
  }

  isEpochEnd(step: number): boolean {
    return step % this.stepsPerEpoch === 0 || step === this.steps;
  }

  /** Learning rate of the step that follows `step` completed ones. */
  lr(step: number): number {
    const { schedule, lr, warmup } = this.#config;
    return learningRate(step, { schedule, lr, totalSteps: this.steps, warmupSteps: Math.round(warmup * this.stepsPerEpoch) });
  }
}
