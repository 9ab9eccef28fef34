import { describe, expect, it } from 'vitest';
import { LAYER_METRICS, METRICS, RANK_METRICS } from './metrics.js';
import { type RunConfig, RunConfigSchema, RunSummarySchema } from './run.js';
import { type TrainingState, TrainingStateSchema } from './training-state.js';

const later = { workers: null, gpus: null, wire: 'fp32', accumulate: 1, syncBn: false } as const;
/** Of a run from before those. */
const first: Omit<RunConfig, keyof typeof later> = {
  model: ['resnet', 'plain'],
  arch: 'cifar',
  depth: 20,
  width: 1,
  shortcut: 'B',
  norm: 'batch',
  zeroGamma: false,
  data: 'auto',
  limitTrain: null,
  limitTest: null,
  valSplit: 0.1,
  skipBadImages: false,
  preset: 'quick',
  epochs: 6,
  maxSteps: null,
  maxTime: null,
  targetAcc: null,
  batchSize: 128,
  lr: 0.1,
  momentum: 0.9,
  weightDecay: 0,
  decayNorm: true,
  schedule: 'cosine',
  warmup: 0,
  labelSmoothing: 0,
  precision: 'fp32',
  engine: 'auto',
  seed: 0,
  deterministic: false,
  attention: 'none',
  init: null,
  freeze: [],
  keep: 3,
  checkpointEvery: 1,
};
const config: RunConfig = { ...first, ...later };
const accepts = (changes: object): boolean => RunConfigSchema.safeParse({ ...config, ...changes }).success;

describe('a run’s configuration', () => {
  it('survives being written and read', () => {
    expect(RunConfigSchema.parse(JSON.parse(JSON.stringify(config)))).toEqual(config);
  });

  it('of a run from before there were several ranks is that of one rank', () => {
    expect(RunConfigSchema.parse(first)).toEqual(config);
  });

  it.each(Object.keys(first) as (keyof RunConfig)[])('is not complete without %s', (key) => {
    const { [key]: _, ...rest } = config;
    expect(RunConfigSchema.safeParse(rest).error?.issues.map((issue) => issue.path)).toEqual([[key]]);
  });

  it('has no keys but its own', () => {
    expect(accepts({ learningRate: 0.1 })).toBe(false);
  });

  it.each([
    ['at least one model', { model: [] }, { model: ['plain'] }],
    ['known models only', { model: ['vgg'] }, { model: ['resnet'] }],
    ['a validation split below the whole', { valSplit: 1 }, { valSplit: 0 }],
    ['a momentum below 1', { momentum: 1 }, { momentum: 0 }],
    ['a positive learning rate', { lr: 0 }, { lr: 1e-9 }],
    ['whole images in a batch', { batchSize: 0.5 }, { batchSize: 1 }],
    ['no negative seed', { seed: -1 }, { seed: Number.MAX_SAFE_INTEGER }],
    ['a target of at most all images', { targetAcc: 101 }, { targetAcc: 100 }],
    ['smoothing that leaves the label something', { labelSmoothing: 1 }, { labelSmoothing: 0.1 }],
    ['GPUs by count or by list', { gpus: '0,0' }, { gpus: '0,2' }],
    ['at least one worker', { workers: 0 }, { workers: 2 }],
    ['finite numbers', { lr: Number.POSITIVE_INFINITY }, { lr: 3 }],
  ])('asks for %s', (_, bad, good) => {
    expect([accepts(bad), accepts(good)]).toEqual([false, true]);
  });
});

describe('a run’s summary', () => {
  const measured = {
    train_error: 12.5,
    val_accuracy: null,
    test_accuracy: 80,
    best_epoch: 3,
    parameters: 9,
    flops: 1e9,
    images_per_sec: null,
  };
  const summary = {
    status: 'finished',
    preset: 'quick',
    models: { plain: measured },
    gap: { train_error: null, val_accuracy: null, test_accuracy: null },
    epochs: 6,
    steps: 100,
    seconds: 1.5,
    engine: 'TensorFlow',
    dataset: 'shapes10',
  };

  it('may hold one model alone', () => {
    expect(RunSummarySchema.parse(summary)).toEqual(summary);
  });

  it('holds no other models and no numbers that are not', () => {
    expect(RunSummarySchema.safeParse({ ...summary, models: { vgg: measured } }).success).toBe(false);
    expect(RunSummarySchema.safeParse({ ...summary, models: { plain: { ...measured, flops: Number.NaN } } }).success).toBe(false);
  });
});

describe('a training state', () => {
  const state: TrainingState = {
    version: 1,
    step: 7,
    epoch: 1,
    stepInEpoch: 7,
    seconds: 0.5,
    dataHash: 'abc',
    models: {
      resnet: {
        sums: { loss: 1, correct: 2, examples: 3 },
        trainError: null,
        valAccuracy: null,
        testAccuracy: null,
        bestEpoch: null,
        bestValAccuracy: null,
        stepSeconds: 0.25,
        images: 896,
      },
    },
    lrFactor: 0.5,
    ranks: 2,
  };

  it('survives being written and read', () => {
    expect(TrainingStateSchema.parse(JSON.parse(JSON.stringify(state)))).toEqual(state);
  });

  it('of one rank, from before there were several, is read', () => {
    const { lrFactor: _, ranks: __, ...before } = state;
    expect(TrainingStateSchema.parse(before)).toEqual({ ...state, lrFactor: 1, ranks: 1 });
  });

  it('of another version, or before the first step of an epoch there never was, is refused', () => {
    for (const changes of [{ version: 2 }, { epoch: 0 }, { step: -1 }, { lrFactor: 0 }, { ranks: 0 }])
      expect(TrainingStateSchema.safeParse({ ...state, ...changes }).success).toBe(false);
  });
});

describe('metrics', () => {
  it('are these names, with units and directions that fit: they stand in files for ever', () => {
    const table = Object.entries({ ...METRICS, ...LAYER_METRICS, ...RANK_METRICS }).map(
      ([name, { unit, better }]) => `${name} ${unit} ${better}`,
    );
    expect(table).toEqual([
      'train/loss  lower',
      'train/accuracy % higher',
      'train/error % lower',
      'val/loss  lower',
      'val/accuracy % higher',
      'test/loss  lower',
      'test/accuracy % higher',
      'epoch/train_loss  lower',
      'epoch/train_error % lower',
      'lr  none',
      'time/images_per_sec img/s higher',
      'time/step_ms ms lower',
      'time/exchange_share % lower',
      'gap/train_error points none',
      'gap/val_accuracy points none',
      'grad_norm  none',
      'weight_norm  none',
      'update_ratio  none',
      'compute_ms ms lower',
      'pack_ms ms lower',
      'wait_ms ms lower',
      'reduce_ms ms lower',
      'unpack_ms ms lower',
      'apply_ms ms lower',
    ]);
  });
});
