// The curves of a report. Training is recorded step by step, evaluations once an epoch: what counts of both is the epoch's mean,
// and the steps are shown behind it.
import type { MetricName, MetricRecord } from '@trainer/protocol';

export interface Point {
  /** Completed steps. */
  readonly step: number;
  /** May be NaN, where the line breaks off. */
  readonly value: number;
}

export interface EpochPoint extends Point {
  readonly epoch: number;
}

export interface Series {
  /** The mean of each epoch's records, at the mean of their steps. */
  readonly epochs: readonly EpochPoint[];
  /** The records themselves where epochs have several, thinned to what a chart can show; else empty. */
  readonly steps: readonly Point[];
}

export type SeriesKey = `${MetricRecord['model']}/${string}`;

const WANTED: ReadonlySet<string> = new Set([
  'train/loss',
  'train/error',
  'val/accuracy',
  'test/accuracy',
  'gap/train_error',
  'gap/val_accuracy',
]);

/** What is recorded of an epoch's images, and the curve of steps that it is the mean of. */
const MEANS: Readonly<Record<string, MetricName>> = { 'epoch/train_loss': 'train/loss', 'epoch/train_error': 'train/error' };

/** Few enough that each stands for several noisy steps. */
const MAX_STEPS_SHOWN = 120;

export async function collectSeries(records: AsyncIterable<MetricRecord>): Promise<ReadonlyMap<SeriesKey, Series>> {
  const collected = new Map<SeriesKey, EpochPoint[]>();
  const exact = new Map<SeriesKey, EpochPoint[]>();
  for await (const { model, name, step, epoch, value } of records) {
    const curve = MEANS[name];
    if (curve === undefined && !WANTED.has(name)) continue;
    // Means over an epoch's images stand in for those over its steps, whose last may be of fewer images.
    const into = curve === undefined ? collected : exact;
    const key: SeriesKey = `${model}/${curve ?? name}`;
    const points = into.get(key);
    if (points === undefined) into.set(key, [{ step, epoch, value }]);
    else points.push({ step, epoch, value });
  }
  return new Map([...collected].map(([key, points]) => [key, withMeans(seriesOf(points), exact.get(key))]));
}

const withMeans = (series: Series, means: readonly EpochPoint[] = []): Series => {
  const byEpoch = new Map(means.map(({ epoch, value }) => [epoch, value]));
  return { ...series, epochs: series.epochs.map((point) => ({ ...point, value: byEpoch.get(point.epoch) ?? point.value })) };
};

function seriesOf(points: readonly EpochPoint[]): Series {
  const byEpoch = new Map<number, EpochPoint[]>();
  for (const point of points) {
    const epoch = byEpoch.get(point.epoch);
    if (epoch === undefined) byEpoch.set(point.epoch, [point]);
    else epoch.push(point);
  }
  const epochs = [...byEpoch].map(([epoch, members]) => ({ epoch, ...mean(members) }));
  return { epochs, steps: epochs.length === points.length ? [] : thin(points) };
}

function thin(points: readonly Point[]): readonly Point[] {
  const shown = Math.min(points.length, MAX_STEPS_SHOWN);
  const start = (at: number): number => Math.floor((at * points.length) / shown);
  return Array.from({ length: shown }, (_, at) => mean(points.slice(start(at), start(at + 1))));
}

function mean(points: readonly Point[]): Point {
  let [step, value] = [0, 0];
  for (const point of points) {
    step += point.step / points.length;
    value += point.value / points.length;
  }
  return { step, value };
}
