// The TensorBoard folders of a run: resnet/ and plain/ with the same tags, so that TensorBoard overlays them, and gap/.
import os from 'node:os';
import path from 'node:path';
import type { MetricRecord } from '@trainer/protocol';
import { errorCode } from '../files.js';
import { writeAll } from './atomic.js';
import { type FileSystem, makeFolders, type OpenFile } from './file-system.js';
import { eventFileName, resumeRecord, type ScalarEvent, scalarRecord, versionRecord } from './tensorboard.js';

type Model = MetricRecord['model'];
const MODELS: readonly Model[] = ['resnet', 'plain', 'gap'];

export class EventFiles {
  private readonly files = new Map<Model, OpenFile>();

  private constructor(
    private readonly fileSystem: FileSystem,
    private readonly run: string,
  ) {}

  /** A folder is made with its model's first record. */
  static create(fileSystem: FileSystem, run: string): EventFiles {
    return new EventFiles(fileSystem, run);
  }

  /** New files beside those there are, which TensorBoard then reads up to `step` completed steps only. */
  static async resume(fileSystem: FileSystem, run: string, step: number): Promise<EventFiles> {
    const files = new EventFiles(fileSystem, run);
    const names = new Set(await fileSystem.list(run));
    try {
      for (const model of MODELS)
        if (names.has(model)) await writeAll(await files.open(model), resumeRecord(Date.now() / 1000, step));
    } catch (error) {
      await files.close().catch(() => undefined);
      throw error;
    }
    return files;
  }

  async append(records: readonly MetricRecord[]): Promise<void> {
    for (const model of MODELS) {
      const events = eventsOf(records.filter((record) => record.model === model));
      if (events.length === 0) continue;
      const file = this.files.get(model) ?? (await this.open(model));
      await writeAll(file, Buffer.concat(events.map(scalarRecord)));
    }
  }

  async close(): Promise<void> {
    const files = [...this.files.values()];
    this.files.clear();
    const results = await Promise.allSettled(files.map((file) => file.close()));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  private async open(model: Model): Promise<OpenFile> {
    const folder = path.join(this.run, model);
    await makeFolders(this.fileSystem, folder);
    const time = Date.now() / 1000;
    const file = await openNew(this.fileSystem, folder, time);
    this.files.set(model, file);
    await writeAll(file, versionRecord(time));
    return file;
  }
}

/** A file whose name sorts behind all others: where that of this second is taken, the next second's. */
async function openNew(fileSystem: FileSystem, folder: string, time: number): Promise<OpenFile> {
  for (let seconds = time; ; seconds++) {
    try {
      return await fileSystem.open(path.join(folder, eventFileName(seconds, os.hostname(), process.pid)), 'create');
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  }
}

/** Consecutive records of a step become one event. */
function eventsOf(records: readonly MetricRecord[]): ScalarEvent[] {
  const events: { step: number; time: number; values: [string, number][] }[] = [];
  for (const { step, time, name, value } of records) {
    const last = events.at(-1);
    if (last?.step === step) last.values.push([name, value]);
    else events.push({ step, time, values: [[name, value]] });
  }
  return events;
}
