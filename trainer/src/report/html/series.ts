// The curves of a report: which records they are made of, thinned where there are more points than a page can show.
import type { MetricRecord } from '@trainer/protocol';

export interface Point {
  /** Completed steps. */
  readonly step: number;
  /** May be NaN, where the line breaks off. */
  readonly value: number;
  /** Of the points that this one stands for. */
  readonly low: number;
  readonly high: number;
}

export type SeriesKey = `${MetricRecord['model']}/${string}`;

/** The last value of each metric in each epoch, by epoch. */
export type EpochRows = ReadonlyMap<number, ReadonlyMap<SeriesKey, number>>;

export interface Collected {
  readonly series: ReadonlyMap<SeriesKey, readonly Point[]>;
  readonly epochs: EpochRows;
}

const WANTED: ReadonlySet<string> = new Set([
  'train/loss',
  'train/error',
  'val/accuracy',
  'test/accuracy',
  'gap/train_error',
  'gap/val_accuracy',
]);

/** Few enough that each stands for several noisy steps, many enough for a smooth line. */
const MAX_POINTS = 100;

export async function collectSeries(records: AsyncIterable<MetricRecord>): Promise<Collected> {
  const series = new Map<SeriesKey, Point[]>();
  const epochs = new Map<number, Map<SeriesKey, number>>();
  for await (const { model, name, step, epoch, value } of records) {
    if (!WANTED.has(name)) continue;
    const key: SeriesKey = `${model}/${name}`;
    const points = series.get(key) ?? [];
    series.set(key, points);
    // Of two values of one step, the later counts.
    if (points.at(-1)?.step === step) points.pop();
    points.push({ step, value, low: value, high: value });
    const row = epochs.get(epoch) ?? new Map<SeriesKey, number>();
    epochs.set(epoch, row.set(key, value));
  }
  return { series: new Map([...series].map(([key, points]) => [key, thin(points)])), epochs };
}

/** Means of neighbours, with the range they cover. */
function thin(points: readonly Point[]): readonly Point[] {
  if (points.length <= MAX_POINTS) return points;
  return Array.from({ length: MAX_POINTS }, (_, at) => {
    const bucket = points.slice(
      Math.floor((at * points.length) / MAX_POINTS),
      Math.floor(((at + 1) * points.length) / MAX_POINTS),
    );
    const values = bucket.map(({ value }) => value);
    return {
      step: bucket.at(-1)!.step,
      value: values.reduce((sum, value) => sum + value, 0) / values.length,
      low: Math.min(...values),
      high: Math.max(...values),
    };
  });
}
