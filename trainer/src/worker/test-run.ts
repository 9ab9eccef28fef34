// A tiny real run for the tests of the loop: two small nets on drawn colours, on the WebAssembly engine.
import '@tensorflow/tfjs';
import type { RunConfig, TrainingState } from '@trainer/protocol';
import type { Dataset, ImageSet } from '../data/contract.js';
import { channelStatistics } from '../data/statistics.js';
import { openWasmSession } from '../fallback/session.js';
import type { Session } from '../jit/contract.js';
import { randomStream } from '../random.js';
import type { Checkpoint } from '../report/contract.js';
import { testConfig } from '../report/test-config.js';
import type { TrainingEvent } from './contract.js';
import { createLearner, createModels, initialValues } from './pair.js';
import { Plan } from './plan.js';
import { restoreSnapshot } from './snapshot.js';
import { type TrainResult, train } from './train.js';

const SIDE = 8;

/** Class 0 is reddish, class 1 bluish, both under noise: what neither crops nor flips take away. */
function drawImages(count: number, seed: number): ImageSet {
  const random = randomStream(seed, 'test images');
  const images = new Uint8Array(count * SIDE * SIDE * 3);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  for (let i = 0; i < images.length; i++) {
    const bright = labels[Math.floor(i / (SIDE * SIDE * 3))] === 0 ? 0 : 2;
    images[i] = (i % 3 === bright ? 130 : 70) + random.below(60);
  }
  return { count, height: SIDE, width: SIDE, images, labels };
}

const TEST_CONFIG = testConfig({
  depth: 8,
  width: 0.25,
  data: 'drawn',
  valSplit: 0,
  preset: 'full',
  epochs: 2,
  batchSize: 8,
  lr: 0.05,
  engine: 'wasm',
  seed: 1,
});

export interface TestRunOptions {
  readonly config?: Partial<RunConfig>;
  readonly from?: Checkpoint;
  readonly session?: Session;
  /** Sees every event; may abort `controller`. */
  readonly watch?: (event: TrainingEvent, controller: AbortController) => void;
}

export interface TestRun {
  readonly result: TrainResult;
  readonly events: readonly TrainingEvent[];
  readonly saved: readonly { readonly checkpoint: Checkpoint; readonly best: boolean }[];
}

/** 20 training images in batches of 8 (so the last one of an epoch is smaller), 6 to validate with, 10 to test with. */
export async function testRun({ config: changes = {}, from, watch, session: given }: TestRunOptions = {}): Promise<TestRun> {
  const config = { ...TEST_CONFIG, ...changes };
  const session = given ?? (await openWasmSession());
  const dataset: Dataset = {
    name: 'drawn',
    origin: 'test',
    classes: ['red', 'blue'],
    train: drawImages(26, 1),
    test: drawImages(10, 2),
    hash: 'drawn',
  };
  const range = (start: number, end: number): Uint32Array => Uint32Array.from({ length: end - start }, (_, i) => start + i);
  const split = { train: range(0, 20), validation: range(20, 26), test: range(0, 10) };
  const pixels = channelStatistics(dataset.train, split.train);
  const learners = createModels(config, dataset).map((model) =>
    createLearner(model, initialValues(model, config.seed), { session, config, pixels }),
  );
  if (from) for (const learner of learners) restoreSnapshot(session, learner, from.models[learner.model.side]!, 'the checkpoint');
  const events: TrainingEvent[] = [];
  const saved: { checkpoint: Checkpoint; best: boolean }[] = [];
  const controller = new AbortController();
  const result = await train({
    config,
    plan: new Plan(split.train.length, config),
    dataset,
    split,
    pad: [110, 110, 110],
    session,
    learners,
    resume: from?.state as TrainingState | undefined,
    stop: controller.signal,
    checkpointAsked: () => false,
    onEvent: (event) => {
      events.push(event);
      watch?.(event, controller);
    },
    save: async (checkpoint, { best }) => {
      saved.push({ checkpoint, best });
      return `checkpoints/${checkpoint.state.step}`;
    },
  });
  for (const learner of learners) learner.dispose();
  if (!given) session.close();
  return { result, events, saved };
}
