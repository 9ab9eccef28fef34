// From the loop's numbers to metric records: the one place that names what is recorded, and when.
import { type MetricName, type MetricRecord, type Position, RANK_METRICS, type Side } from '@trainer/protocol';
import type { RankTimes } from '../worker/rank-protocol.js';
import type { LayerNorms, StepOutcome } from '../worker/step.js';
import type { EpochScores } from './scores.js';
import type { SideBook } from './side.js';

type Stamp = Pick<MetricRecord, 'step' | 'epoch' | 'time'>;

export const stamp = ({ step, epoch }: Position, time = Date.now() / 1000): Stamp => ({ step, epoch, time });

function rows(at: Stamp, model: MetricRecord['model'], values: Partial<Record<MetricName, number>>): MetricRecord[] {
  return Object.entries(values).map(([name, value]) => ({ ...at, model, name: name as MetricName, value: value! }));
}

export interface StepRecord {
  readonly side: Side;
  readonly outcome: StepOutcome;
  readonly examples: number;
  readonly lr: number;
  readonly stepMs: number;
}

/** Of every step: the values of that step alone. */
export function stepRecords(at: Stamp, { side, outcome, examples, lr, stepMs }: StepRecord): MetricRecord[] {
  const accuracy = (100 * outcome.correct) / examples;
  return rows(at, side, {
    'train/loss': outcome.loss,
    'train/accuracy': accuracy,
    'train/error': 100 - accuracy,
    lr,
    'time/step_ms': stepMs,
  });
}

/** Of some steps: how gradient, weights and step compare in each layer. */
export function layerRecords(at: Stamp, side: Side, norms: readonly LayerNorms[]): MetricRecord[] {
  return norms.flatMap(({ layer, gradient, weights, step }) =>
    rows(at, side, {
      [`grad_norm/${layer}`]: gradient,
      [`weight_norm/${layer}`]: weights,
      [`update_ratio/${layer}`]: step / weights,
    }),
  );
}

/** Milliseconds of one step that a rank spent in each part of it. */
type Part = keyof typeof RANK_METRICS;
const partsOf = (times: RankTimes): Readonly<Record<Part, number>> => ({
  compute_ms: times.computeMs,
  pack_ms: times.packMs ?? 0,
  wait_ms: times.waitMs ?? 0,
  reduce_ms: times.reduceMs ?? 0,
  unpack_ms: times.unpackMs ?? 0,
  apply_ms: times.applyMs ?? 0,
});
const EXCHANGE: readonly Part[] = ['pack_ms', 'wait_ms', 'reduce_ms', 'unpack_ms'];

/** Means of the steps since the last such record, where there are several ranks: what each did with its time, and the share that all of them spent exchanging. */
export function rankRecords(at: Stamp, side: Side, ranks: readonly RankTimes[]): MetricRecord[] {
  const parts = ranks.map(partsOf);
  const sum = (names: readonly Part[]): number =>
    parts.reduce((total, times) => names.reduce((part, name) => part + times[name], total), 0);
  const all = sum(Object.keys(RANK_METRICS) as Part[]);
  return [
    ...parts.flatMap((times, rank) =>
      Object.entries(times).flatMap(([part, value]) => rows(at, side, { [`${part as Part}/rank${rank}`]: value })),
    ),
    ...rows(at, side, { 'time/exchange_share': all > 0 ? (100 * sum(EXCHANGE)) / all : 0 }),
  ];
}

/** At the end of an epoch. */
export function epochRecords(at: Stamp, book: SideBook, { validation, test }: EpochScores): MetricRecord[] {
  const imagesPerSec = book.imagesPerSec;
  const { loss, accuracy } = book.progress;
  return rows(at, book.side, {
    'epoch/train_loss': loss,
    'epoch/train_error': 100 - accuracy,
    ...(validation && { 'val/loss': validation.loss, 'val/accuracy': validation.accuracy }),
    ...(test && { 'test/loss': test.loss, 'test/accuracy': test.accuracy }),
    ...(imagesPerSec !== null && { 'time/images_per_sec': imagesPerSec }),
  });
}

/** How far the residual net is ahead, where both train: over the epoch, in points. */
export function gapRecords(at: Stamp, books: readonly SideBook[]): MetricRecord[] {
  const [resnet, plain] = [books.find((b) => b.side === 'resnet')?.state, books.find((b) => b.side === 'plain')?.state];
  if (!resnet || !plain) return [];
  const error = difference(plain.trainError, resnet.trainError);
  const accuracy = difference(resnet.valAccuracy, plain.valAccuracy);
  return rows(at, 'gap', {
    ...(error !== null && { 'gap/train_error': error }),
    ...(accuracy !== null && { 'gap/val_accuracy': accuracy }),
  });
}

/** a - b, or null where either is unknown. */
export const difference = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a - b);
