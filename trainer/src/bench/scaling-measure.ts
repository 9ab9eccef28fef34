// How fast a number of ranks trains: the ranks, steps and exchanges of `trainer start`, on drawn bytes, the residual net alone.
import type { RunConfig } from '@trainer/protocol';
import { connector } from '../coordinator/open-ranks.js';
import { openPool, type Pool } from '../coordinator/pool.js';
import { Ranks } from '../coordinator/ranks.js';
import { firstWeights } from '../coordinator/weights.js';
import type { ImageSet } from '../data/contract.js';
import type { Model } from '../nn/contract.js';
import { randomStream } from '../random.js';
import type { RankDevice } from '../runtime/ranks.js';
import { completeConfig } from '../settings/complete.js';
import { systemClock } from '../time.js';
import type { FakeDeviceOptions } from '../worker/fake/options.js';
import { createModels } from '../worker/pair.js';
import type { RankTimes } from '../worker/rank-protocol.js';
import { medianOf } from './median.js';

export interface MeasuredRanksOptions {
  /** By rank. */
  readonly devices: readonly RankDevice[];
  readonly depth: number;
  /** Images of each rank. */
  readonly batchSize: number;
  readonly precision: RunConfig['precision'];
  readonly wire: RunConfig['wire'];
  /** Steps to be timed at most. */
  readonly steps: number;
  /** Milliseconds of a step of simulated devices; absent: the devices train. */
  readonly deviceMs?: number;
  readonly onNotice: (line: string) => void;
}

/** Medians over steps, in milliseconds. */
export interface MeasuredSteps {
  /** Until the last rank has answered. */
  readonly stepMs: number;
  /** Of the exchange, waits for slower ranks included; mean over ranks. 0 for one rank. */
  readonly exchangeMs: number;
  /** Pack, reduce and unpack; mean over ranks. */
  readonly workMs: number;
  /** Of the exchange of the rank that came last, which waits for none to begin. */
  readonly lastMs: number;
}

/** Ranks that train whenever they are asked for some steps. */
export interface MeasuredRanks {
  readonly ranks: number;
  /** Of the gradient. */
  readonly floats: number;
  /** 'ResNet-20'. */
  readonly title: string;
  /** 'TensorFlow 2.21.0'. */
  readonly library: string;
  run(steps: number): Promise<void>;
  result(): MeasuredSteps;
  close(): Promise<void>;
}

const IMAGE_SIDE = 32;
const CLASSES = Array.from({ length: 10 }, (_, i) => String(i));
const SEED = 1;
const WARMUP_STEPS = 3;
/** Steps of an epoch. */
const BATCHES = 2;
const PIXELS = { mean: [127.5, 127.5, 127.5], std: [64, 64, 64] } as const;
/** Small, as the few images are learned by heart soon. */
const LEARNING_RATE = 0.01;

interface Step {
  readonly stepMs: number;
  readonly times: readonly RankTimes[];
}

/** Warmed up. @throws TrainerError for a depth that no network has */
export async function openMeasuredRanks(options: MeasuredRanksOptions): Promise<MeasuredRanks> {
  const ranks = options.devices.length;
  const config = configOf(options);
  const train = drawnImages(BATCHES * config.batchSize);
  const data = { classes: CLASSES, train };
  const models = createModels(config, data);
  const pool = openPool(options.devices.map((device, rank) => taskOf(options, device, rank)));
  const group = groupOf(pool, options);
  try {
    const [device] = await group.open();
    await group.build({ config, ...data, test: train });
    const weights = firstWeights({ models, config });
    const indices = Uint32Array.from({ length: train.count }, (_, i) => i);
    const split = { train: indices, validation: new Uint32Array(), test: new Uint32Array() };
    await group.place({ config, split, pixels: PIXELS, ...weights });
    const { title } = models[0]!;
    const measured = new Measured({ group, pool, title, floats: floatsOf(models[0]!), library: device!.library, ranks });
    await measured.warmUp();
    return measured;
  } catch (error) {
    await pool.close();
    throw error;
  }
}

interface MeasuredFields extends Pick<MeasuredRanks, 'ranks' | 'floats' | 'title' | 'library'> {
  readonly group: Ranks;
  readonly pool: Pool;
}

class Measured implements MeasuredRanks {
  readonly ranks: number;
  readonly floats: number;
  readonly title: string;
  readonly library: string;
  readonly #group: Ranks;
  readonly #pool: Pool;
  readonly #steps: Step[] = [];
  #next = 0;

  constructor({ group, pool, ranks, floats, title, library }: MeasuredFields) {
    this.ranks = ranks;
    this.floats = floats;
    this.title = title;
    this.library = library;
    this.#group = group;
    this.#pool = pool;
  }

  async warmUp(): Promise<void> {
    for (let i = 0; i < WARMUP_STEPS; i++) await this.#step(true);
  }

  async run(steps: number): Promise<void> {
    for (let i = 0; i < steps; i++) this.#steps.push(await this.#step(false));
  }

  result(): MeasuredSteps {
    const median = (of: (step: Step) => number): number => medianOf(this.#steps.map(of));
    return {
      stepMs: median(({ stepMs }) => stepMs),
      exchangeMs: median(({ times }) => meanOf(times.map(exchangeOf))),
      workMs: median(({ times }) => meanOf(times.map(workOf))),
      lastMs: median(({ times }) => Math.min(...times.map(exchangeOf))),
    };
  }

  async close(): Promise<void> {
    await this.#group.close();
    await this.#pool.close();
  }

  async #step(compiles: boolean): Promise<Step> {
    const began = performance.now();
    const { sides } = await this.#group.step({ step: this.#next++, lr: LEARNING_RATE, norms: false, compiles });
    return { stepMs: performance.now() - began, times: sides[0]!.times };
  }
}

const workOf = ({ packMs = 0, reduceMs = 0, unpackMs = 0 }: RankTimes): number => packMs + reduceMs + unpackMs;
const exchangeOf = (times: RankTimes): number => workOf(times) + (times.waitMs ?? 0);
const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

const floatsOf = (model: Model): number =>
  Object.values(model.initialize(SEED)).reduce((sum, { trainable, data }) => sum + (trainable ? data.length : 0), 0);

function configOf({ devices, depth, batchSize, precision, wire, steps }: MeasuredRanksOptions): RunConfig {
  const size = { batchSize: batchSize * devices.length, epochs: Math.ceil((WARMUP_STEPS + steps) / BATCHES) + 1 };
  const config = { model: ['resnet'] as const, depth, precision, wire, valSplit: 0, seed: SEED, ...size };
  const asked = { config: { ...config, model: [...config.model] }, origins: {}, run: { fastDevRun: false } };
  return completeConfig(asked, { preset: 'full' }).config;
}

/** Any bytes, in memory that all threads see. */
function drawnImages(count: number): ImageSet {
  const random = randomStream(SEED, 'bench', 0);
  const images = new Uint8Array(new SharedArrayBuffer(count * IMAGE_SIDE * IMAGE_SIDE * 3));
  for (let i = 0; i < images.length; i++) images[i] = random.below(256);
  const labels = new Int32Array(new SharedArrayBuffer(4 * count)).map((_, i) => i % CLASSES.length);
  return { count, height: IMAGE_SIDE, width: IMAGE_SIDE, images, labels };
}

function taskOf(
  { devices, deviceMs }: MeasuredRanksOptions,
  device: RankDevice,
  rank: number,
): Parameters<typeof openPool>[0][0] {
  const fake: FakeDeviceOptions | undefined = deviceMs === undefined ? undefined : { idle: true, stepMs: [deviceMs, deviceMs] };
  const shared = { engine: 'auto', deterministic: false } as const;
  return { rank, ranks: devices.length, device: { ...shared, ...device }, ...(fake && { fake }) };
}

function groupOf({ channels }: Pool, { wire, onNotice }: MeasuredRanksOptions): Ranks {
  return new Ranks({
    channels,
    clock: systemClock,
    deadline: null,
    connect: connector(channels.length, wire),
    onLog: (rank, { line, concernsUser }) => {
      if (rank === 0 && concernsUser) onNotice(line);
    },
  });
}
