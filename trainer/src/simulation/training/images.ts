// A few images for simulated runs, and the configuration that trains on them.
import type { RunConfig, Side } from '@trainer/protocol';
import type { Dataset, ImageSet } from '../../data/contract.js';

const PIXELS = 4 * 4 * 3;

const drawn = (count: number, salt: number): ImageSet => ({
  count,
  height: 4,
  width: 4,
  images: Uint8Array.from({ length: count * PIXELS }, (_, i) => ((i + salt) * 7919) % 251),
  labels: Int32Array.from({ length: count }, (_, i) => i % 2),
});

export const DATASET: Dataset = {
  name: 'drawn',
  origin: 'a simulation',
  classes: ['a', 'b'],
  train: drawn(26, 0),
  test: drawn(7, 3),
  hash: 'drawn',
};

/** 22 images to train, in batches of 5, the last of an epoch of 2: 5 steps an epoch. */
export const configOf = (sides: readonly Side[], ranks: number): Partial<RunConfig> => ({
  ...{ preset: 'full', depth: 8, width: 0.0625, batchSize: 5, valSplit: 0.15, epochs: 4, lr: 0.02, keep: 2 },
  model: [...sides] as RunConfig['model'],
  workers: ranks,
});
