// Reads metrics.jsonl: all its records, and how much of it belongs to the first steps of a run.
import type { MetricRecord } from '@trainer/protocol';
import { readLines } from './lines.js';
import { decodeMetric } from './metrics-lines.js';

/** The file's records in order; lines that are none (torn by a crash) are passed over. */
export async function* readMetrics(path: string): AsyncGenerator<MetricRecord> {
  for await (const { text } of readLines(path)) {
    const record = decodeMetric(text);
    if (record !== undefined) yield record;
  }
}

/** Bytes of the file up to the first record of a later step than `step`, and without a torn last line. */
export async function lengthUpToStep(path: string, step: number): Promise<number> {
  let length = 0;
  for await (const { text, end, complete } of readLines(path)) {
    const record = decodeMetric(text);
    if (!complete || (record !== undefined && record.step > step)) break;
    length = end;
  }
  return length;
}
