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

/** An open run folder. All methods may be called without awaiting the one before: work is done in order. */
export interface RunFolder {
  readonly path: string;
  readonly name: string;
  /** Appends to output.log (a line feed is added). */
  log(line: string): void;
  /** Buffers records for metrics.jsonl and TensorBoard; written within a second, and by every other method below. */
  record(records: readonly MetricRecord[]): void;
  /** Resolves once everything recorded so far is in the files. Rejects with the first failure (TrainerError, exit code 3). */
  flush(): Promise<void>;
  /** Writes checkpoints/<step>/, moves `last` (and `best`), removes those beyond `keep`; `last` and `best` always stay. Returns its path. */
  saveCheckpoint(checkpoint: Checkpoint, options: { readonly best: boolean }): Promise<string>;
  /** Writes summary.json now; the other files at the end. */
  summarize(summary: RunSummary): Promise<void>;
  /** Writes what is derived (metrics.csv, gradients.npz, report.html), closes all files. Idempotent. */
  close(): Promise<void>;
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
 * resume.ts:           findResumable(out, 'last' | PATH, onNotice): Promise<ResumableRun>
 *                      the newest checkpoint whose checksums hold; damaged ones are named and passed over
 * initial-weights.ts:  loadInitialWeights(path): Promise<Record<string, FloatTensor>>    `--init FILE`
 */
