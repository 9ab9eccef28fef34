// The files of the runs that a command trains: opened, written and closed as the coordinator asks.
import type { FileRequest, FinishedRun, MetricRecord, RunSummary } from '@trainer/protocol';
import type { RunFolder } from '../report/contract.js';
import { createRun, reopenRun } from '../report/run-folder.js';
import type { RunStore } from './contract.js';

export interface RunStoreOptions {
  /** Folder of all runs. */
  readonly out: string;
  /** Hands every line for people to a listener until told to end. */
  readonly onLine: (listener: (line: string) => void) => () => void;
  /** How folders are opened; default: on this machine's disk. */
  readonly folders?: Folders;
}

export interface Folders {
  readonly createRun: typeof createRun;
  readonly reopenRun: typeof reopenRun;
}

const EARLY_LINES = 1000;

export class FolderRunStore implements RunStore {
  readonly finished: FinishedRun[] = [];
  readonly #options: RunStoreOptions;
  readonly #folders: Folders;
  #folder: RunFolder | undefined;
  /** What ranks told before there was a folder. */
  readonly #early: { readonly rank: number; readonly line: string }[] = [];
  #summary: RunSummary | undefined;
  #forget = (): void => {};

  constructor(options: RunStoreOptions) {
    this.#options = options;
    this.#folders = options.folders ?? { createRun, reopenRun };
  }

  get path(): string | undefined {
    return this.#folder?.path;
  }

  async answer(request: FileRequest): Promise<{ readonly path: string } | null> {
    switch (request.what) {
      case 'create': {
        const { name, config, metadata } = request;
        return this.#open(
          await this.#folders.createRun({ out: this.#options.out, ...(name !== null && { name }), config, metadata }),
        );
      }
      case 'reopen': {
        const { path, config, step } = request;
        if (this.#folder?.path !== path)
          return this.#open(await this.#folders.reopenRun({ path, config, checkpoint: { state: { step } } }));
        await this.#folder.rewind(step);
        return { path };
      }
      case 'flush':
        await this.#folder!.flush();
        return null;
      case 'sync':
        await this.#folder!.sync();
        return null;
      case 'summarize':
        this.#summary = request.summary;
        await this.#folder!.summarize(request.summary);
        return null;
      case 'finish':
        await this.#folder!.summarize(request.run.summary);
        await this.#close();
        this.finished.push(request.run);
        return null;
    }
  }

  record(records: readonly MetricRecord[]): void {
    this.#folder?.record(records);
  }

  rankLog(rank: number, line: string): void {
    if (this.#folder) this.#folder.rankLog(rank, line);
    else if (this.#early.length < EARLY_LINES) this.#early.push({ rank, line });
  }

  note(text: string): void {
    this.#folder?.log(text);
  }

  async discard(): Promise<void> {
    const folder = this.#folder;
    this.#folder = undefined;
    this.#forget();
    await folder?.discard();
  }

  async fail(): Promise<void> {
    if (!this.#folder) return;
    // The disk may be what failed.
    if (this.#summary) await this.#folder.summarize({ ...this.#summary, status: 'failed' }).catch(() => undefined);
    await this.#close().catch(() => undefined);
  }

  #open(folder: RunFolder): { readonly path: string } {
    this.#folder = folder;
    for (const { rank, line } of this.#early.splice(0)) folder.rankLog(rank, line);
    this.#forget = this.#options.onLine((line) => folder.log(line));
    return { path: folder.path };
  }

  async #close(): Promise<void> {
    const folder = this.#folder;
    this.#folder = undefined;
    this.#forget();
    await folder?.close();
  }
}
