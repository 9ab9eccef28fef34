// From the loop's numbers to metric records: the one place that names what is recorded, and when.
import type { MetricName, MetricRecord, Side } from '@trainer/protocol';
import type { Position } from './contract.js';
import type { EpochScores } from './evaluation.js';
import type { SideBook } from './side.js';
import type { LayerNorms, StepOutcome } from './step.js';

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
