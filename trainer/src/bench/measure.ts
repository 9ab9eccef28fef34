// How fast an engine takes training steps: the steps that `trainer start` takes, on one synthetic batch, one model.
import type { RunConfig } from '@trainer/protocol';
import type { HostTensor } from '../jit/contract.js';
import { architectureOf } from '../nn/architecture.js';
import type { Model } from '../nn/contract.js';
import { createModel } from '../nn/models.js';
import { randomStream } from '../random.js';
import { openEngine } from '../worker/engine.js';
import { type Batch, Learner } from '../worker/step.js';
import { medianOf, round } from './median.js';

export interface MeasureOptions {
  readonly depth: number;
  readonly precision: RunConfig['precision'];
  readonly batchSize: number;
  /** Steps to time. */
  readonly steps: number;
  readonly engine: RunConfig['engine'];
  /** Told in a line when the slower engine is taken. */
  readonly onNotice: (line: string) => void;
}

/** What `trainer bench step --json` prints. Steps are timed one by one, after warm-up. */
export interface BenchStepResult {
  readonly images_per_sec_median: number;
  readonly images_per_sec_best: number;
  readonly step_ms_median: number;
  readonly batch_size: number;
  readonly depth: number;
  readonly precision: RunConfig['precision'];
  readonly engine: 'tensorflow' | 'wasm';
  readonly model: string;
  readonly steps: number;
  readonly library: string;
  readonly device: string;
  /** Tracing, compiling and the first steps: what is not in the median. */
  readonly warmup_ms: number;
  /** Most memory that the process held at any time. */
  readonly peak_rss_mb: number;
}

const IMAGE_SIDE = 32;
const CLASSES = 10;
const WARMUP_STEPS = 3;
const SEED = 1;
const SGD = { momentum: 0.9, weightDecay: 5e-4, decayNorm: true } as const;
const PIXELS = { mean: [127.5, 127.5, 127.5], std: [64, 64, 64] } as const;
/** Small, as the one batch is learned by heart soon. */
const LEARNING_RATE = 0.01;

/** @throws TrainerError for a depth that no network has, an engine that is not there. */
export async function measureStep(options: MeasureOptions): Promise<BenchStepResult> {
  const { depth, precision, batchSize, steps } = options;
  const model = residualNet(depth);
  const { session, library, device } = await openEngine(options);
  try {
    const stepOptions = { sgd: SGD, labelSmoothing: 0, precision, pixels: PIXELS };
    const learner = new Learner(session, model, model.initialize(SEED), stepOptions);
    const batch = syntheticBatch(batchSize);
    const warmupMs = sum(await time(learner, batch, WARMUP_STEPS));
    const times = (await time(learner, batch, steps)).sort((a, b) => a - b);
    learner.dispose();
    const median = medianOf(times);
    return {
      images_per_sec_median: round((batchSize * 1e3) / median, 1),
      images_per_sec_best: round((batchSize * 1e3) / times[0]!, 1),
      step_ms_median: round(median, 2),
      batch_size: batchSize,
      depth,
      precision,
      engine: session.engine,
      model: model.title,
      steps,
      library,
      device,
      warmup_ms: Math.round(warmupMs),
      peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    };
  } finally {
    session.close();
  }
}

const residualNet = (depth: number): Model =>
  createModel({
    side: 'resnet',
    arch: architectureOf(depth),
    depth,
    width: 1,
    shortcut: 'B',
    norm: 'batch',
    attention: 'none',
    zeroGamma: false,
    classes: CLASSES,
    imageSize: [IMAGE_SIDE, IMAGE_SIDE],
  });

/** Milliseconds of each of so many steps. */
async function time(learner: Learner, batch: Batch, steps: number): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < steps; i++) {
    const began = performance.now();
    await learner.train(batch, LEARNING_RATE);
    times.push(performance.now() - began);
  }
  return times;
}

function syntheticBatch(size: number): Batch {
  const random = randomStream(SEED, 'bench', 0);
  const images: HostTensor = {
    shape: [size, IMAGE_SIDE, IMAGE_SIDE, 3],
    dtype: 'uint8',
    data: Uint8Array.from({ length: size * IMAGE_SIDE * IMAGE_SIDE * 3 }, () => random.below(256)),
  };
  return { images, labels: { shape: [size], dtype: 'int32', data: Int32Array.from({ length: size }, (_, i) => i % CLASSES) } };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
