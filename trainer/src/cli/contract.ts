// What the commands besides `start` are called with. Each is one function `(options, io) => Promise<ExitCode>` in a file of
// its own, loaded only when it is asked for; failures are thrown as TrainerError and shown in one place.
import type { OutputOptions } from '../settings/contract.js';

export interface SetupOptions extends Omit<OutputOptions, 'json'> {
  readonly variant: 'auto' | 'cpu' | 'gpu';
}

export type DoctorOptions = Pick<OutputOptions, 'quiet' | 'verbose' | 'json' | 'color'>;

export interface BenchStepOptions extends Pick<OutputOptions, 'quiet' | 'verbose' | 'json' | 'color'> {
  readonly depth: number;
  readonly batchSize: number;
  readonly precision: 'fp32' | 'bf16';
  readonly engine: 'auto' | 'tensorflow' | 'wasm';
  /** Timed, after warm-up. */
  readonly steps: number;
}

export interface BenchAllReduceOptions extends Pick<OutputOptions, 'quiet' | 'verbose' | 'json' | 'color'> {
  readonly ranks: number;
  readonly floats: number;
  readonly wire: 'fp32' | 'bf16';
}

export interface BenchScalingOptions extends Pick<OutputOptions, 'quiet' | 'verbose' | 'json' | 'color'> {
  readonly ranks: readonly number[];
  readonly depth: number;
  /** Images of each rank. */
  readonly batchSize: number;
  readonly precision: 'fp32' | 'bf16';
  readonly wire: 'fp32' | 'bf16';
  /** Timed, after warm-up. */
  readonly steps: number;
  /** Milliseconds of a step of simulated devices; null: real ones, where there are enough. */
  readonly deviceMs: number | null;
}
