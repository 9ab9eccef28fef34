// The one vocabulary of metrics: name, unit, direction and meaning. Adding a metric is one row here and one record() call.

export interface Metric {
  readonly unit: '' | '%' | 'points' | 'img/s' | 'ms';
  /** Which way is better, for sorting and for "best"; none where neither is. */
  readonly better: 'higher' | 'lower' | 'none';
  readonly doc: string;
}

export const METRICS = {
  'train/loss': {
    unit: '',
    better: 'lower',
    doc: 'Mean cross-entropy over the examples of the step (or epoch), label smoothing included.',
  },
  'train/accuracy': {
    unit: '%',
    better: 'higher',
    doc: 'Share of augmented training examples classified right, in training mode, while the weights move.',
  },
  'train/error': { unit: '%', better: 'lower', doc: '100 - train/accuracy: what degradation is about.' },
  'val/loss': { unit: '', better: 'lower', doc: 'Mean cross-entropy over the validation split, running statistics.' },
  'val/accuracy': {
    unit: '%',
    better: 'higher',
    doc: 'Share of the validation split classified right; chooses the best checkpoint.',
  },
  'test/loss': {
    unit: '',
    better: 'lower',
    doc: 'Mean cross-entropy over the test set. Looked at once per epoch, never chooses.',
  },
  'test/accuracy': {
    unit: '%',
    better: 'higher',
    doc: 'Share of the test set classified right. Looked at once per epoch, never chooses.',
  },
  'epoch/train_loss': { unit: '', better: 'lower', doc: 'Mean of the loss over all training images of the epoch.' },
  'epoch/train_error': { unit: '%', better: 'lower', doc: 'Share of all training images of the epoch classified wrong.' },
  lr: { unit: '', better: 'none', doc: 'Learning rate of the step.' },
  'time/images_per_sec': {
    unit: 'img/s',
    better: 'higher',
    doc: 'Training images per second of this model, its own steps only.',
  },
  'time/step_ms': { unit: 'ms', better: 'lower', doc: 'Duration of one training step.' },
  'time/exchange_share': {
    unit: '%',
    better: 'lower',
    doc: 'Share of the step that ranks spend in the exchange of gradients, waiting for each other included.',
  },
  'gap/train_error': {
    unit: 'points',
    better: 'none',
    doc: "Plain net's training error minus the residual net's: positive where the residual net is ahead.",
  },
  'gap/val_accuracy': {
    unit: 'points',
    better: 'none',
    doc: "Residual net's validation accuracy minus the plain net's: positive where the residual net is ahead.",
  },
} as const satisfies Record<string, Metric>;

/** Metrics kept per layer: the name is followed by `/<layer>`. */
export const LAYER_METRICS = {
  grad_norm: { unit: '', better: 'none', doc: "Euclidean norm of the loss gradient with respect to the layer's weights." },
  weight_norm: { unit: '', better: 'none', doc: "Euclidean norm of the layer's weights." },
  update_ratio: { unit: '', better: 'none', doc: "Norm of the step's update divided by the norm of the weights." },
} as const satisfies Record<string, Metric>;

/** Metrics kept per rank and step: the name is followed by `/rank<r>`, counted from 0. */
export const RANK_METRICS = {
  compute_ms: { unit: 'ms', better: 'lower', doc: 'Filling the batch, forward and backward pass.' },
  pack_ms: { unit: 'ms', better: 'lower', doc: 'Copying the gradient to where other ranks see it.' },
  wait_ms: { unit: 'ms', better: 'lower', doc: 'Waiting for other ranks: the slowest waits least.' },
  reduce_ms: { unit: 'ms', better: 'lower', doc: "Averaging the rank's slice over all ranks." },
  unpack_ms: { unit: 'ms', better: 'lower', doc: 'Copying the mean to where it is applied from.' },
  apply_ms: { unit: 'ms', better: 'lower', doc: 'Applying the mean to the weights.' },
} as const satisfies Record<string, Metric>;

export type MetricName =
  | keyof typeof METRICS
  | `${keyof typeof LAYER_METRICS}/${string}`
  | `${keyof typeof RANK_METRICS}/rank${number}`;

/** One line of metrics.jsonl. `step` counts completed steps, `epoch` is 1-based, `time` is Unix seconds; gap metrics have model 'gap'. */
export interface MetricRecord {
  readonly step: number;
  readonly epoch: number;
  readonly time: number;
  readonly model: 'resnet' | 'plain' | 'gap';
  readonly name: MetricName;
  readonly value: number;
}
