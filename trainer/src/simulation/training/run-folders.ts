// Run folders on a simulated disk, with the semantics of the report room's.
import type { MetricRecord, RunSummary } from '@trainer/protocol';
import type { RunFolder } from '../../report/contract.js';
import { SerialQueue } from '../../report/serial-queue.js';
import type { Folders } from '../../supervisor/run-store.js';
import type { Clock } from '../../time.js';
import type { Bug } from './bugs.js';
import type { RunOnDisk, SimulatedDisk } from './disk.js';

export interface FoldersOptions {
  readonly disk: SimulatedDisk;
  /** The supervisor's. */
  readonly clock: Clock;
  readonly bug?: Bug | undefined;
}

export function simulatedFolders(options: FoldersOptions): Folders {
  const { disk, clock } = options;
  let made = 0;
  return {
    createRun: async ({ out, config }) => {
      await disk.busy(clock);
      const run: RunOnDisk = { path: `${out}/run-${++made}`, config, metrics: [], summary: undefined, saves: [] };
      disk.runs.set(run.path, run);
      return new SimulatedFolder(run, options);
    },
    reopenRun: async ({ path, config, checkpoint }) => {
      const run = disk.runs.get(path)!;
      run.config = config;
      const folder = new SimulatedFolder(run, options);
      await folder.rewind(checkpoint.state.step);
      return folder;
    },
  };
}

/** How long 'late records' are late. */
const LATE_MS = 200;

class SimulatedFolder implements RunFolder {
  readonly name: string;
  readonly #run: RunOnDisk;
  readonly #options: FoldersOptions;
  readonly #queue = new SerialQueue();
  #records: MetricRecord[] = [];
  #closed = false;

  constructor(run: RunOnDisk, options: FoldersOptions) {
    this.#run = run;
    this.#options = options;
    this.name = run.path.slice(run.path.lastIndexOf('/') + 1);
  }

  get path(): string {
    return this.#run.path;
  }

  log(): void {
    this.#refuseClosed();
  }

  rankLog(): void {
    this.#refuseClosed();
  }

  record(records: readonly MetricRecord[]): void {
    this.#refuseClosed();
    const keep = (): void => void this.#records.push(...records);
    if (this.#options.bug === 'late records') this.#options.clock.later(keep, LATE_MS);
    else keep();
  }

  flush(): Promise<void> {
    return this.#do(() => undefined);
  }

  sync(): Promise<void> {
    return this.#do(() => undefined);
  }

  rewind(step: number): Promise<void> {
    return this.#do(() => {
      const run = this.#run;
      if (this.#options.bug !== 'metrics not rewound') run.metrics = run.metrics.filter((record) => record.step <= step);
      run.saves = run.saves.filter(({ checkpoint }) => checkpoint.state.step <= step);
    });
  }

  saveCheckpoint(): Promise<string> {
    throw new Error('the coordinator writes checkpoints');
  }

  summarize(summary: RunSummary): Promise<void> {
    return this.#do(() => {
      this.#run.summary = summary;
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#do(() => undefined);
  }

  async discard(): Promise<void> {
    await this.close();
    this.#options.disk.runs.delete(this.path);
  }

  /** In order, each after all that was recorded before. */
  #do(task: () => void): Promise<void> {
    const { disk, clock } = this.#options;
    return this.#queue.run(async () => {
      await disk.busy(clock);
      this.#run.metrics.push(...this.#records.splice(0));
      task();
    });
  }

  #refuseClosed(): void {
    if (this.#closed) throw new Error(`the run ${this.name} is closed`);
  }
}
