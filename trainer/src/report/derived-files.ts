// What follows from metrics.jsonl at the end of a run: metrics.csv, gradients.npz and report.html. Each can be made anew.
import path from 'node:path';
import type { RunConfig, RunSummary } from '@trainer/protocol';
import { writeAtomically } from './atomic.js';
import { metricsCsv } from './csv.js';
import type { FileSystem } from './file-system.js';
import { GradientTable } from './gradients.js';
import { renderReport } from './html/report.js';
import type { RunRecord } from './metadata.js';
import { readMetrics } from './metrics-file.js';
import { encodeNpz } from './npz.js';
import { RUN_FILES } from './run-files.js';

export interface DerivedInput {
  readonly fileSystem: FileSystem;
  /** The run folder. */
  readonly folder: string;
  readonly name: string;
  readonly config: RunConfig;
  readonly metadata: RunRecord | undefined;
  /** Absent: the run ended before it had anything to sum up, and gets no report. */
  readonly summary: RunSummary | undefined;
}

export async function writeDerivedFiles(input: DerivedInput): Promise<void> {
  const { fileSystem, folder, summary } = input;
  const records = () => readMetrics(path.join(folder, RUN_FILES.metrics));
  await writeAtomically(fileSystem, path.join(folder, RUN_FILES.table), inChunks(metricsCsv(records)));
  const gradients = new GradientTable();
  for await (const record of records()) gradients.add(record);
  const arrays = gradients.arrays();
  if (Object.keys(arrays).length > 0)
    await writeAtomically(fileSystem, path.join(folder, RUN_FILES.gradients), [encodeNpz(arrays)]);
  if (summary === undefined) return;
  await writeAtomically(fileSystem, path.join(folder, RUN_FILES.report), await renderReport({ ...input, summary, records }));
}

/** Rows are short; the disk is asked once for many of them. */
async function* inChunks(rows: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  let text = '';
  for await (const row of rows) {
    text += row;
    if (text.length < 1 << 18) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
}
