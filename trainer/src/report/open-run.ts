// A run folder while its run is going on: buffers what is recorded, writes in order, and makes the derived files at the end.
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import type { MetricRecord, RunSummary } from '@trainer/protocol';
import { writeAll, writeAtomically } from './atomic.js';
import type { RunFolder } from './contract.js';
import type { EventFiles } from './event-files.js';
import { type FileSystem, makeFolders, type OpenFile } from './file-system.js';
import { ioError } from './io-error.js';
import { encodeMetric } from './metrics-lines.js';
import { RUN_FILES } from './run-files.js';
import { SerialQueue } from './serial-queue.js';

/** How long records may wait in memory. */
const WRITE_EVERY_MS = 1000;

/** What an open run holds; it closes all of it. */
export interface OpenRunParts {
  readonly fileSystem: FileSystem;
  readonly path: string;
  readonly name: string;
  readonly log: OpenFile;
  readonly metrics: OpenFile;
  readonly events: EventFiles;
  /** Removes what lies behind this step; what TensorBoard is told from there. */
  readonly goBack: (step: number) => Promise<EventFiles>;
  readonly summaryPath: string;
  /** Makes the files that follow from the others; called once, when those are complete. */
  readonly derive: (summary: RunSummary | undefined) => Promise<void>;
  /** Removes what the end of a run makes superfluous; called once, last. */
  readonly tidy: () => Promise<void>;
  /** Gives the folder back to other processes. */
  readonly unlock: () => Promise<void>;
}

export class OpenRun implements RunFolder {
  readonly path: string;
  readonly name: string;
  private readonly queue = new SerialQueue();
  private records: MetricRecord[] = [];
  private lines: string[] = [];
  private readonly rankLines = new Map<number, string[]>();
  private timer: NodeJS.Timeout | undefined;
  private summary: RunSummary | undefined;
  /** Once something recorded is lost, the files are no longer the truth: nothing may report success again. */
  private failure: { readonly error: unknown } | undefined;
  private closed: Promise<void> | undefined;
  private events: EventFiles;

  constructor(private readonly parts: OpenRunParts) {
    this.events = parts.events;
    this.path = parts.path;
    this.name = parts.name;
  }

  log(line: string): void {
    this.lines.push(`${stripVTControlCharacters(line)}\n`);
    this.schedule();
  }

  rankLog(rank: number, line: string): void {
    const lines = this.rankLines.get(rank) ?? [];
    lines.push(`${new Date().toISOString()} ${stripVTControlCharacters(line)}\n`);
    this.rankLines.set(rank, lines);
    this.schedule();
  }

  record(records: readonly MetricRecord[]): void {
    for (const record of records) this.records.push(record);
    this.schedule();
  }

  flush(): Promise<void> {
    return this.queue.run(() => this.write());
  }

  sync(): Promise<void> {
    return this.queue.run(() => this.writeSynced());
  }

  rewind(step: number): Promise<void> {
    return this.queue.run(async () => {
      await this.write();
      await this.guarded('go back in', async () => {
        await this.events.close();
        this.events = await this.parts.goBack(step);
      });
    });
  }

  summarize(summary: RunSummary): Promise<void> {
    return this.queue.run(async () => {
      this.summary = summary;
      await this.write();
      const text = `${JSON.stringify(summary, undefined, 2)}\n`;
      await this.guarded('write the summary of', () => writeAtomically(this.parts.fileSystem, this.parts.summaryPath, text));
    });
  }

  close(): Promise<void> {
    this.closed ??= this.queue.run(async () => {
      try {
        await this.writeSynced();
        await this.guarded('finish', async () => {
          await this.parts.derive(this.summary);
          await this.parts.tidy();
        });
      } finally {
        clearTimeout(this.timer);
        await this.guarded('close', () => this.release());
      }
    });
    return this.closed;
  }

  discard(): Promise<void> {
    this.closed ??= this.queue.run(async () => {
      clearTimeout(this.timer);
      await this.guarded('remove', async () => {
        await this.release();
        await this.parts.fileSystem.remove(this.path);
      });
    });
    return this.closed;
  }

  private schedule(): void {
    if (this.closed !== undefined) throw new Error(`the run ${this.name} is closed`);
    // Failures are kept and reach whoever calls next.
    this.timer ??= setTimeout(() => this.flush().catch(() => undefined), WRITE_EVERY_MS).unref();
  }

  /** Puts all that is buffered into the files. */
  private async write(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.failure !== undefined) throw this.failure.error;
    const { records, lines, parts } = this;
    this.records = [];
    this.lines = [];
    try {
      if (lines.length > 0) await writeAll(parts.log, Buffer.from(lines.join('')));
      if (this.rankLines.size > 0) await this.writeRankLogs();
      if (records.length > 0) await writeAll(parts.metrics, Buffer.from(records.map(encodeMetric).join('')));
      await this.events.append(records);
    } catch (error) {
      this.failure = { error: ioError('write the metrics of', parts.path, error) };
      throw this.failure.error;
    }
  }

  private async writeRankLogs(): Promise<void> {
    const { fileSystem } = this.parts;
    const folder = path.join(this.path, RUN_FILES.rankLogs);
    await makeFolders(fileSystem, folder);
    const logs = [...this.rankLines];
    this.rankLines.clear();
    for (const [rank, lines] of logs) {
      const file = await fileSystem.open(path.join(folder, `rank${rank}.log`), 'append');
      try {
        await writeAll(file, Buffer.from(lines.join('')));
      } finally {
        await file.close();
      }
    }
  }

  private async writeSynced(): Promise<void> {
    await this.write();
    await this.guarded('write the metrics of', () => this.parts.metrics.sync());
  }

  private async guarded<T>(action: string, task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } catch (error) {
      throw ioError(action, this.parts.path, error);
    }
  }

  /** Every part is released, whatever becomes of the others. */
  private async release(): Promise<void> {
    const { log, metrics, unlock } = this.parts;
    const results = await Promise.allSettled([log.close(), metrics.close(), this.events.close(), unlock()]);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
