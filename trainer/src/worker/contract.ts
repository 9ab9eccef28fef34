// What the training loop tells the outside: events in order, for the terminal, the run folder and (later) the wire.
import type { MetricRecord, Side } from '@trainer/protocol';

/** Where training stands. `step` counts completed steps of the whole run, `epoch` is 1-based. */
export interface Position {
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly steps: number;
  /** 1-based step within the epoch, and how many it has. */
  readonly stepInEpoch: number;
  readonly stepsPerEpoch: number;
}

export interface SideProgress {
  /** Means over the epoch so far. */
  readonly loss: number;
  /** Percent. */
  readonly accuracy: number;
  /** Latest validation accuracy in percent; undefined before the first validation or without a validation split. */
  readonly valAccuracy?: number;
  readonly testAccuracy?: number;
}

export type TrainingEvent =
  | { readonly type: 'ready'; readonly position: Position; readonly sides: readonly Side[] }
  /** After each step of all sides. Must cost nothing: the listener decides how often it draws. */
  | {
      readonly type: 'step';
      readonly position: Position;
      readonly sides: Partial<Record<Side, SideProgress>>;
      readonly imagesPerSec: number;
      readonly etaSeconds: number;
    }
  | { readonly type: 'phase'; readonly phase: 'training' | 'validation' | 'checkpoint'; readonly position: Position }
  | {
      readonly type: 'epoch';
      readonly position: Position;
      readonly sides: Partial<Record<Side, SideProgress>>;
      readonly seconds: number;
      readonly etaSeconds: number;
      readonly imagesPerSec: number;
    }
  | { readonly type: 'metrics'; readonly records: readonly MetricRecord[] }
  | { readonly type: 'checkpoint'; readonly position: Position; readonly path: string; readonly best: boolean };

export type OnEvent = (event: TrainingEvent) => void;
