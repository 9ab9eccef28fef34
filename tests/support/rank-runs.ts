// Short trainings by ranks in real worker threads, without processes and files around them: two small nets on drawn images.
import type { RunConfig, Side } from '@trainer/protocol';
import { openRanks } from '../../trainer/src/coordinator/open-ranks.js';
import { SILENT } from '../../trainer/src/coordinator/test-teller.js';
import { firstWeights } from '../../trainer/src/coordinator/weights.js';
import type { ImageSet } from '../../trainer/src/data/contract.js';
import { channelStatistics } from '../../trainer/src/data/statistics.js';
import { randomStream } from '../../trainer/src/random.js';
import type { ModelTensors } from '../../trainer/src/report/contract.js';
import { testConfig } from '../../trainer/src/report/test-config.js';
import { systemClock } from '../../trainer/src/time.js';
import { createModels } from '../../trainer/src/worker/pair.js';
import { Plan } from '../../trainer/src/worker/plan.js';

const SIDE = 8;
const CLASSES = ['red', 'green', 'blue'];
/** Three batches of 8, then one of a single image: what neither 2 nor 3 ranks can share. */
const EXAMPLES = 25;
const EPOCHS = 2;
export const STEPS = 4 * EPOCHS;
const range = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => i);

export interface RankRun {
  /** Of the global batch, by step, both sides in turn. */
  readonly losses: readonly number[];
  readonly corrects: readonly number[];
  /** Values and velocities of rank 0 at the end, by side, kind and name; all ranks hold the same. */
  readonly weights: Readonly<Record<string, Float32Array>>;
  /** Sums of losses and right ones over the test images. */
  readonly scores: Partial<Record<Side, { readonly loss: number; readonly correct: number }>>;
}

/**
 * Two epochs of 4 steps (of batches of 8), the last of which has one image. Fails where ranks do not hold the same weights.
 * @param changes of the configuration; `workers` says how many ranks
 */
export async function trainByRanks(changes: Partial<RunConfig>): Promise<RankRun> {
  const config = testConfig({ depth: 8, width: 0.25, epochs: EPOCHS, batchSize: 8, lr: 0.05, seed: 3, ...changes });
  const dataset = { classes: CLASSES, train: drawImages(EXAMPLES, 1), test: drawImages(7, 2) };
  const split = { train: range(EXAMPLES), validation: range(0), test: range(dataset.test.count) };
  const ranks = await openRanks({ config, deadline: null, teller: SILENT, clock: systemClock, env: process.env });
  try {
    const { group } = ranks;
    await group.open();
    await group.build({ config, ...dataset });
    const { models, source } = firstWeights({ models: createModels(config, dataset), config });
    await group.place({ config, split, pixels: channelStatistics(dataset.train, split.train), models, source });
    const plan = new Plan(EXAMPLES, config);
    const losses: number[] = [];
    const corrects: number[] = [];
    for (let step = 0; step < plan.steps; step++) {
      const { sides } = await group.step({ step, lr: plan.lr(step), norms: false, compiles: true });
      for (const { loss, correct } of sides) {
        losses.push(loss);
        corrects.push(correct);
      }
    }
    await group.verify(plan.steps);
    const scores: RankRun['scores'] = {};
    for (const side of config.model) scores[side] = await group.score({ side, set: 'test', start: 0, count: dataset.test.count });
    const weights = named(await group.snapshot());
    await group.close();
    return { losses, corrects, weights, scores };
  } finally {
    await ranks.close();
  }
}

const named = (snapshot: Partial<Record<Side, ModelTensors>>): Record<string, Float32Array> =>
  Object.fromEntries(
    Object.entries(snapshot).flatMap(([side, { values, velocities }]) =>
      Object.entries({ values, velocities }).flatMap(([kind, tensors]) =>
        Object.entries(tensors).map(([name, { data }]) => [`${side} ${kind} ${name}`, data] as const),
      ),
    ),
  );

/** Each class is brighter in one colour, under noise. */
function drawImages(count: number, seed: number): ImageSet {
  const random = randomStream(seed, 'rank images');
  const labels = Int32Array.from({ length: count }, (_, i) => i % CLASSES.length);
  const images = Uint8Array.from({ length: count * SIDE * SIDE * 3 }, (_, i) => {
    const bright = labels[Math.floor(i / (SIDE * SIDE * 3))];
    return (i % 3 === bright ? 130 : 70) + random.below(60);
  });
  return { count, height: SIDE, width: SIDE, images, labels };
}
