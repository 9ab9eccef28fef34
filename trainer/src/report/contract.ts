// What a run leaves on disk, as the training loop and the commands see it. One writer per run folder.
import type { MetricRecord, RunConfig, RunSummary, Side, TrainingState } from '@trainer/protocol';
import type { FloatTensor } from './layout.js';

/** One model's tensors in TensorFlow's layout; files hold torchvision's. */
export interface ModelTensors {
  /** Parameters and running statistics by name. */
  readonly values: Readonly<Record<string, FloatTensor>>;
  /** The optimizer's velocity of each parameter, by the parameter's name. */
  readonly velocities: Readonly<Record<string, FloatTensor>>;
}

export interface Checkpoint {
  readonly state: TrainingState;
  readonly models: Partial<Record<Side, ModelTensors>>;
}

/** What metadata.json says besides what the folder finds out itself (versions, host, time, command line). */
export interface RunMetadata {
  /** The words after the program's name. */
  readonly commandLine: readonly string[];
  readonly engine: string;
  readonly library: string;
  readonly devices: readonly string[];
  readonly seeds: readonly number[];
  readonly dataset: { readonly name: string; readonly origin: string; readonly hash: string };
  /** SHA-256 of each model's initial values. */
  readonly initHash: Partial<Record<Side, string>>;
  readonly tags: readonly string[];
  readonly notes: string;
}

/**
 * Writes checkpoints into a run's folder. The process that does it need not be the one that has the run open: it opens nothing
 * else and locks nothing, but must be the only one. Calls may overlap: one is written after the other.
 */
export interface CheckpointWriter {
  /**
   * Writes checkpoints/<step>/, moves `last` (and `best`), removes those beyond `keep`; `last` and `best` always stay. Returns
   * its path once it would survive a loss of power. The tensors must not change before that.
   * @throws TrainerError (environment) where the disk refuses; the checkpoints before stay as they are
   */
  save(checkpoint: Checkpoint, options: { readonly best: boolean }): Promise<string>;
}

/** As CheckpointWriter, for commits: those survive a killed process, not a loss of power, and cost no waiting for the disk. */
export interface CommitWriter {
  /** Writes commits/<step>/, removes all but the newest two. Returns its path. @throws as CheckpointWriter */
  save(checkpoint: Checkpoint): Promise<string>;
}

/** An open run folder. All methods may be called without awaiting the one before: work is done in order. */
export interface RunFolder {
  readonly path: string;
  readonly name: string;
  /** Appends to output.log (a line feed is added). */
  log(line: string): void;
  /** Appends to the log of one rank, with the time. */
  rankLog(rank: number, line: string): void;
  /** Buffers records for metrics.jsonl and TensorBoard; written within a second, and by every other method below. */
  record(records: readonly MetricRecord[]): void;
  /** Resolves once everything recorded so far is in the files. Rejects with the first failure (TrainerError, exit code 3). */
  flush(): Promise<void>;
  /** As flush, and metrics would survive a loss of power: for before a checkpoint, which counts on them, appears. */
  sync(): Promise<void>;
  /**
   * Back to an earlier step, for a run that goes on from its checkpoint or commit: metrics, checkpoints and commits of later
   * steps are removed, TensorBoard and metadata.json are told. Nobody else may be writing the run's checkpoints.
   */
  rewind(step: number): Promise<void>;
  /** Writes summary.json now; the other files at the end. */
  summarize(summary: RunSummary): Promise<void>;
  /**
   * Writes what is derived (metrics.csv, gradients.npz, report.html), removes commits that the checkpoints have overtaken,
   * closes all files. Idempotent.
   */
  close(): Promise<void>;
  /** Closes all files and removes the folder: the run never was. In place of `close`. */
  discard(): Promise<void>;
}

export interface CreateRunOptions {
  /** Folder of all runs (`--out`). */
  readonly out: string;
  /** Absent: made of date, time, depth and data. Taken already: a usage error that says how to go on. */
  readonly name?: string;
  readonly config: RunConfig;
  readonly metadata: RunMetadata;
}

/** A run that can be continued. */
export interface ResumableRun {
  readonly path: string;
  readonly config: RunConfig;
  readonly checkpoint: Checkpoint;
  /** Where the checkpoint lies, for messages. */
  readonly checkpointPath: string;
}

/*
 * run-folder.ts:       createRun(options: CreateRunOptions): Promise<RunFolder>
 *                      reopenRun(run: ResumableRun): Promise<RunFolder>    what lies after the checkpoint's step is dropped
 * checkpoints.ts:      openCheckpoints({ runPath, keep }): Promise<CheckpointWriter>
 *                      openCommits({ runPath }): Promise<CommitWriter>
 * resume.ts:           findResumable(out, 'last' | PATH, onNotice): Promise<ResumableRun>
 *                      the newest checkpoint or commit whose checksums hold; damaged ones are named and passed over
 * initial-weights.ts:  loadInitialWeights(path): Promise<Record<string, FloatTensor>>    `--init FILE`
 */
