// Sizes the `quick` preset to this machine: as many images and epochs as fit in a few minutes, by timing a few steps.
import type { RunConfig } from '@trainer/protocol';
import type { Dataset } from '../data/contract.js';
import type { DeviceModel } from './device.js';
import { localExchange } from './local-exchange.js';

/** What a quick run may take, compilation and validation included. */
const BUDGET_SECONDS = 225;
/** Loading, compiling two models, checkpoints. */
const OVERHEAD_SECONDS = 15;
/** An evaluation computes the forward pass alone: a third of a step (one pass forward, two backward). */
const EVALUATION_SHARE = 1 / 3;
const TIMED_STEPS = 3;

/** Fewer epochs than this show nothing; more than this are better spent on more images. */
const EPOCHS = { least: 4, most: 12 } as const;
/** Training images before the validation split. */
const IMAGES = { usual: 10_000, least: 1_000 } as const;
const TEST_IMAGES = { usual: 2_000, least: 500 } as const;

export type QuickSize = Pick<RunConfig, 'limitTrain' | 'limitTest' | 'epochs'>;

/**
 * @param imagesPerSec training images of all models together, each model's images counted once per model
 * @param models how many train
 */
export function quickSize(imagesPerSec: number, models: number, available: { train: number; test: number }): QuickSize {
  const affordable = ((BUDGET_SECONDS - OVERHEAD_SECONDS) * imagesPerSec) / models;
  const slow = affordable < EPOCHS.least * IMAGES.usual * 1.2;
  const limitTest = Math.min(available.test, slow ? TEST_IMAGES.least : TEST_IMAGES.usual);
  const perEpoch = (images: number): number => images + EVALUATION_SHARE * limitTest;
  /** Images of an epoch, where so many epochs are to be afforded. */
  const imagesFor = (epochs: number): number => affordable / epochs - EVALUATION_SHARE * limitTest;
  const roomy = affordable / perEpoch(IMAGES.usual) > EPOCHS.most;
  const images = roomy ? imagesFor(EPOCHS.most) : slow ? imagesFor(EPOCHS.least) : IMAGES.usual;
  const limitTrain = Math.min(available.train, Math.max(IMAGES.least, Math.floor(images / 1000) * 1000));
  const epochs = Math.floor(affordable / perEpoch(limitTrain));
  return { limitTrain, limitTest, epochs: Math.min(EPOCHS.most, Math.max(EPOCHS.least, epochs)) };
}

export interface TimeStepsOptions {
  readonly models: readonly DeviceModel[];
  readonly train: Dataset['train'];
  readonly batchSize: number;
  /** As a rank among others trains, without the others. */
  readonly shared: boolean;
}

/** Trains the models on one batch a few times and returns their images per second together; their statistics are spent. */
export async function timeSteps({ models, train, batchSize, shared }: TimeStepsOptions): Promise<number> {
  const { height, width } = train;
  const count = Math.min(batchSize, train.count);
  const images = {
    shape: [count, height, width, 3],
    dtype: 'uint8',
    data: train.images.subarray(0, count * height * width * 3),
  } as const;
  const labels = { shape: [count], dtype: 'int32', data: train.labels.subarray(0, count) } as const;
  const batch = { images, labels };
  let seconds = 0;
  for (const model of models) {
    const step = () =>
      shared
        ? model.trainShared({ batches: [batch], examples: count, lr: 0, exchange: localExchange, syncExchange: () => undefined })
        : model.train(batch, 0);
    await step();
    const times: number[] = [];
    for (let i = 0; i < TIMED_STEPS; i++) {
      const began = performance.now();
      await step();
      times.push((performance.now() - began) / 1000);
    }
    // The fastest: a hiccup of the machine says nothing about the run.
    seconds += Math.min(...times);
  }
  return (count * models.length) / seconds;
}
