// The seams of the supervisor: how it starts a coordinator, and whom it tells what it hears.
import type { FileRequest, FinishedRun, MetricRecord, ModelCost, OnEvent, ToCoordinator, ToSupervisor } from '@trainer/protocol';
import type { OnProgress } from '../data/contract.js';
import type { Channel } from '../link/channel.js';

/** A coordinator process, or what stands in for one. */
export interface Coordinator {
  readonly channel: Channel<ToCoordinator, ToSupervisor>;
  /** Resolves once the process has ended, with how, for people: "was killed by SIGKILL", "ended with code 7". */
  readonly exited: Promise<string>;
  /** What it wrote outside the channel, its last lines: a crash of native code speaks there. */
  lastWords(): readonly string[];
  /** Ends it at once. Idempotent. */
  kill(): void;
}

export type Launch = () => Coordinator;

/** Whom the supervisor tells. */
export interface Listener {
  notice(line: string): void;
  warn(line: string): void;
  readonly onProgress: OnProgress;
  readonly onEvent: OnEvent;
  onMetrics(records: readonly MetricRecord[]): void;
  onModels(models: readonly ModelCost[]): void;
  print(text: string): void;
}

/** The files of the runs, one open at a time. */
export interface RunStore {
  /** Does what the coordinator asks. @throws TrainerError where the disk refuses */
  answer(request: FileRequest): Promise<{ readonly path: string } | null>;
  record(records: readonly MetricRecord[]): void;
  rankLog(rank: number, line: string): void;
  /** For the run's log alone. */
  note(text: string): void;
  /** Of the run that is open. */
  readonly path: string | undefined;
  /** Runs that ended, in order. */
  readonly finished: readonly FinishedRun[];
  /** Removes the run that is open, of which nothing was saved. */
  discard(): Promise<void>;
  /** Closes the run that is open, as failed. Idempotent. */
  fail(): Promise<void>;
}
