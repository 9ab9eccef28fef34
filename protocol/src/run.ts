// What a run is: its configuration (a typed value, the same in config.yaml, on the wire and in code) and its summary.
import { z } from 'zod';
import { parseGpus } from './gpus.js';

export const SIDES = ['resnet', 'plain'] as const;
/** One of the two models that train side by side. */
export type Side = (typeof SIDES)[number];

/** Everything that decides a run's numbers, resolved: no "auto" is left in it but `data`, which says what was asked. */
export const RunConfigSchema = z.strictObject({
  model: z.array(z.enum(SIDES)).nonempty(),
  arch: z.enum(['imagenet', 'cifar']),
  depth: z.int().positive(),
  width: z.number().positive(),
  shortcut: z.enum(['A', 'B']),
  norm: z.enum(['batch', 'none']),
  zeroGamma: z.boolean(),
  data: z.string().min(1),
  limitTrain: z.int().positive().nullable(),
  /** Images of the test set that are looked at each epoch (`--limit-test`); null is all. `quick` looks at 2,000. */
  limitTest: z.int().positive().nullable(),
  valSplit: z.number().min(0).lt(1),
  skipBadImages: z.boolean(),
  preset: z.enum(['quick', 'full', 'he']),
  epochs: z.int().positive(),
  maxSteps: z.int().positive().nullable(),
  /** Seconds of training after which the run ends as if done. */
  maxTime: z.number().positive().nullable(),
  /** Validation accuracy in percent at which the run ends. */
  targetAcc: z.number().positive().max(100).nullable(),
  batchSize: z.int().positive(),
  lr: z.number().positive(),
  momentum: z.number().min(0).lt(1),
  weightDecay: z.number().min(0),
  /** False leaves norm parameters and biases undecayed (`--no-decay-norm`). */
  decayNorm: z.boolean(),
  schedule: z.enum(['cosine', 'step', 'constant']),
  /** Epochs of linear warm-up. */
  warmup: z.number().min(0),
  labelSmoothing: z.number().min(0).lt(1),
  precision: z.enum(['fp32', 'bf16']),
  engine: z.enum(['auto', 'tensorflow', 'wasm']),
  seed: z.int().nonnegative(),
  deterministic: z.boolean(),
  attention: z.enum(['none', 'se', 'cbam']),
  /** Weights to start from (safetensors, torchvision names); null draws them from the seed. */
  init: z.string().nullable(),
  /** Parameter names, or their beginnings, that keep their first value. */
  freeze: z.array(z.string()),
  keep: z.int().positive(),
  /** Epochs between checkpoints. */
  checkpointEvery: z.int().positive(),
  // What came later has the value of the runs before it, which can thus be gone on with.
  /** CPU ranks (`--workers`); null leaves the choice to `gpus` and the machine. */
  workers: z.int().positive().nullable().default(null),
  /** GPU ranks as `parseGpus` reads them; null leaves the choice to `workers` and the machine. */
  gpus: z
    .string()
    .refine((text) => parseGpus(text) !== undefined)
    .nullable()
    .default(null),
  /** How gradients cross between ranks; sums are float32 whatever the wire. */
  wire: z.enum(['fp32', 'bf16']).default('fp32'),
  /** Parts in which each rank computes its share of the batch. */
  accumulate: z.int().positive().default(1),
  /** Batch statistics over all ranks, not of each rank's own share. */
  syncBn: z.boolean().default(false),
});
export type RunConfig = z.infer<typeof RunConfigSchema>;

export const ModelSummarySchema = z.strictObject({
  train_error: z.number().nullable(),
  val_accuracy: z.number().nullable(),
  test_accuracy: z.number().nullable(),
  best_epoch: z.int().nullable(),
  parameters: z.int(),
  flops: z.number(),
  images_per_sec: z.number().nullable(),
});

/** summary.json; accuracies and errors in percent, the gap in points: positive where the residual net is ahead. */
export const RunSummarySchema = z.strictObject({
  status: z.enum(['running', 'finished', 'interrupted', 'failed', 'diverged']),
  preset: z.string(),
  models: z.partialRecord(z.enum(SIDES), ModelSummarySchema),
  gap: z.strictObject({
    train_error: z.number().nullable(),
    val_accuracy: z.number().nullable(),
    test_accuracy: z.number().nullable(),
  }),
  epochs: z.number(),
  steps: z.int(),
  seconds: z.number(),
  engine: z.string(),
  dataset: z.string(),
});
export type RunSummary = z.infer<typeof RunSummarySchema>;
export type ModelSummary = z.infer<typeof ModelSummarySchema>;
