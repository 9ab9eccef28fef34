// A tiny real run for the tests of the loop: two small nets on drawn colours, on the WebAssembly engine.
import { MessageChannel } from 'node:worker_threads';
import type { MetricRecord, RunConfig, TrainingEvent } from '@trainer/protocol';
import type { Dataset, ImageSet } from '../data/contract.js';
import { channelStatistics } from '../data/statistics.js';
import { portChannel } from '../link/port.js';
import { answerRequests, type ReplyMessage, type RequestMessage } from '../link/requests.js';
import { randomStream } from '../random.js';
import type { Checkpoint, ModelTensors } from '../report/contract.js';
import { testConfig } from '../report/test-config.js';
import { systemClock } from '../time.js';
import { createModels } from '../worker/pair.js';
import { Plan } from '../worker/plan.js';
import { Rank } from '../worker/rank.js';
import type { RankBody } from '../worker/rank-protocol.js';
import { openSessionDevice } from '../worker/session-device.js';
import { Controls } from './controls.js';
import { Ranks } from './ranks.js';
import { SILENT } from './test-teller.js';
import { type TrainResult, train } from './training.js';
import { firstWeights } from './weights.js';

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
  /** Seconds between commits. */
  readonly commitEvery?: number;
  /** Sees every event; may ask for controls. */
  readonly watch?: (event: TrainingEvent, controls: Controls) => void;
}

export interface TestRun {
  readonly result: TrainResult;
  readonly events: readonly TrainingEvent[];
  readonly records: readonly MetricRecord[];
  readonly saved: readonly { readonly checkpoint: Checkpoint; readonly best: boolean }[];
  readonly commits: readonly Checkpoint[];
}

/** One rank in this thread, on the WebAssembly engine. */
function openRank(): { readonly group: Ranks; close(): void } {
  const { port1, port2 } = new MessageChannel();
  const rank = new Rank({
    rank: 0,
    ranks: 1,
    openDevice: () => openSessionDevice({ engine: 'wasm', deterministic: false, onNotice: () => undefined }),
    join: () => {
      throw new Error('one rank joins no group');
    },
  });
  answerRequests<RankBody, unknown>(portChannel<ReplyMessage<unknown>, RequestMessage<RankBody>>(port2), ({ call, request }) =>
    rank.handle(call, request),
  );
  const group = new Ranks({
    channels: [portChannel(port1)],
    clock: systemClock,
    deadline: null,
    connect: () => {
      throw new Error('one rank has nobody to exchange with');
    },
    onLog: () => undefined,
  });
  return {
    group,
    close: () => {
      rank.close();
      port1.close();
    },
  };
}

/** The rank's memory is written again by the next save. */
function copyOf({ state, models }: Checkpoint): Checkpoint {
  const tensors = (record: ModelTensors['values']): ModelTensors['values'] =>
    Object.fromEntries(Object.entries(record).map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }]));
  const copies = Object.entries(models).map(([side, { values, velocities }]) => [
    side,
    { values: tensors(values), velocities: tensors(velocities) },
  ]);
  return { state, models: Object.fromEntries(copies) };
}

/** 20 training images in batches of 8 (so the last one of an epoch is smaller), 6 to validate with, 10 to test with. */
export async function testRun({ config: changes = {}, from, watch, commitEvery = 1e9 }: TestRunOptions = {}): Promise<TestRun> {
  const config = { ...TEST_CONFIG, ...changes };
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
  const models = createModels(config, dataset);
  const resumed = from && { path: 'run', config, checkpoint: from, checkpointPath: 'the checkpoint' };
  const weights = firstWeights({ models, config, resumed });
  const events: TrainingEvent[] = [];
  const records: MetricRecord[] = [];
  const saved: { checkpoint: Checkpoint; best: boolean }[] = [];
  const commits: Checkpoint[] = [];
  const controls = new Controls();
  const rank = openRank();
  try {
    const { group } = rank;
    await group.open();
    await group.build({ config, classes: dataset.classes, train: dataset.train, test: dataset.test });
    const pixels = channelStatistics(dataset.train, split.train);
    await group.place({ config, split, pixels, models: weights.models, source: weights.source });
    const result = await train({
      config,
      plan: new Plan(split.train.length, config),
      models,
      images: { validation: split.validation.length, test: split.test.length },
      dataHash: dataset.hash,
      group,
      resume: from?.state,
      isSaved: from !== undefined,
      teller: {
        ...SILENT,
        onEvent: (event) => {
          events.push(event);
          watch?.(event, controls);
        },
        record: (more) => void records.push(...more),
      },
      controls,
      clock: systemClock,
      commitEverySeconds: commitEvery,
      checkpoint: async (checkpoint, { best }) => {
        saved.push({ checkpoint: copyOf(checkpoint), best });
        return `checkpoints/${checkpoint.state.step}`;
      },
      commit: async (checkpoint) => {
        commits.push(copyOf(checkpoint));
        return `commits/${checkpoint.state.step}`;
      },
    });
    return { result, events, records, saved, commits };
  } finally {
    rank.close();
  }
}
