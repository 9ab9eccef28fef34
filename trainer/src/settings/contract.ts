// What the user asked for, as every part that acts on it sees it.
import type { RunConfig } from '@trainer/protocol';

/** Settings of one run that do not decide its numbers. */
export interface RunOptions {
  /** How many seeds to train, from `seed` upwards. */
  readonly seeds: number;
  readonly out: string;
  readonly name: string | null;
  readonly tags: readonly string[];
  readonly notes: string | null;
  /** 'last', or the path of a run or checkpoint. */
  readonly resume: string | null;
  readonly printConfig: boolean;
  readonly dryRun: boolean;
  readonly fastDevRun: boolean;
  /** Times that training is begun anew from the newest commit or checkpoint before the command gives up. */
  readonly maxRestarts: number;
  /** Seconds that a step may take before its slowest rank counts as frozen; null: by the length of the steps so far. */
  readonly deadline: number | null;
  /** Seconds between commits: what a crash may cost. */
  readonly commitEvery: number;
}

export interface OutputOptions {
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly json: boolean;
  readonly progress: boolean;
  readonly color: 'auto' | 'always' | 'never';
}

/** `trainer start` as asked: what was said of the configuration, and by whom; everything else resolved. */
export interface StartOptions {
  readonly config: Partial<RunConfig>;
  /** By field of the configuration, of `run` and of `output`: "flag --depth", "trainer.yaml:3". */
  readonly origins: Readonly<Record<string, string>>;
  readonly run: RunOptions;
  readonly output: OutputOptions;
}
