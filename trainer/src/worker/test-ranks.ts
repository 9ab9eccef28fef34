// Ranks in one thread for tests: small nets in a session each, an exchange that is plain float64 arithmetic, drawn batches.
import '@tensorflow/tfjs';
import type { Contribution, ExchangeMemory, ExchangeTimes } from '../allreduce/contract.js';
import type { Precision, Session } from '../jit/contract.js';
import { createModel } from '../nn/models.js';
import { randomStream } from '../random.js';
import { takeSnapshot } from './snapshot.js';
import { type Batch, Learner, type StepOptions } from './step.js';

export const SIDE = 8;
const CLASSES = 4;
export const PIXELS = { mean: [100, 120, 130], std: [50, 60, 70] } as const;
const NO_TIMES: ExchangeTimes = { packMs: 0, waitMs: 0, reduceMs: 0, unpackMs: 0 };

export interface TestNet {
  readonly norm: 'batch' | 'none';
  readonly precision?: Precision;
  readonly isFrozen?: StepOptions['isFrozen'];
  readonly syncNorm?: StepOptions['syncNorm'];
}

/** A rank: the same first values for all. */
export function testLearner(session: Session, { norm, precision = 'fp32', isFrozen, syncNorm }: TestNet): Learner {
  const family = { side: 'resnet', arch: 'cifar', depth: 8, width: 0.25, shortcut: 'B', attention: 'none' } as const;
  const model = createModel({ ...family, norm, zeroGamma: false, classes: CLASSES, imageSize: [SIDE, SIDE] });
  const sgd = { momentum: 0.9, weightDecay: 1e-3, decayNorm: false };
  const options = { sgd, labelSmoothing: 0.1, precision, pixels: PIXELS };
  const given = { ...options, ...(isFrozen && { isFrozen }), ...(syncNorm && { syncNorm }) };
  return new Learner(session, model, model.initialize(1), given);
}

/** `count` drawn images with labels. */
export function drawBatch(count: number, seed: number): Batch {
  const random = randomStream(seed, 'test batch');
  const images = Uint8Array.from({ length: count * SIDE * SIDE * 3 }, () => random.below(256));
  const labels = Int32Array.from({ length: count }, () => random.below(CLASSES));
  return {
    images: { shape: [count, SIDE, SIDE, 3], dtype: 'uint8', data: images },
    labels: { shape: [count], dtype: 'int32', data: labels },
  };
}

/** The batch in parts of these sizes, in order; a part of 0 is no batch at all. */
export function split({ images, labels }: Batch, sizes: readonly number[]): Batch[][] {
  let from = 0;
  return sizes.map((count) => {
    const [start, end] = [from, from + count];
    from = end;
    if (count === 0) return [];
    const pixels = images.data.length / labels.data.length;
    return [
      {
        images: { ...images, shape: [count, SIDE, SIDE, 3], data: images.data.slice(start * pixels, end * pixels) },
        labels: { ...labels, shape: [count], data: labels.data.slice(start, end) },
      },
    ];
  });
}

type Exchange = (contribution: Contribution, into: ExchangeMemory) => Promise<ExchangeTimes>;

/** One exchange for each of `ranks` ranks, and what each contributed last. */
export function referenceExchanges(ranks: number): { exchanges: readonly Exchange[]; seen: (Contribution | undefined)[] } {
  const seen: (Contribution | undefined)[] = Array.from({ length: ranks });
  let waiting: { contribution: Contribution; into: ExchangeMemory; done: (times: ExchangeTimes) => void }[] = [];
  const exchanges = seen.map(
    (_, rank): Exchange =>
      (contribution, into) => {
        seen[rank] = structuredClone(contribution);
        return new Promise((done) => {
          waiting.push({ contribution, into, done });
          if (waiting.length < ranks) return;
          const mean = meanOf(seen as Contribution[]);
          for (const { into, done } of waiting) {
            for (const part of ['gradients', 'exact'] as const)
              for (const [i, array] of into[part].entries()) array.set(mean[part][i]!);
            done(NO_TIMES);
          }
          waiting = [];
        });
      },
  );
  return { exchanges, seen };
}

/** The mean weighted by examples, in float64 and rounded once. */
function meanOf(all: readonly Contribution[]): ExchangeMemory {
  const those = all.filter(({ examples }) => examples > 0);
  const total = those.reduce((sum, { examples }) => sum + examples, 0);
  const mean = (part: 'gradients' | 'exact'): Float32Array[] =>
    those[0]![part].map((first, i) =>
      Float32Array.from(first, (_, at) => those.reduce((sum, c) => sum + (c.examples / total) * c[part][i]![at]!, 0)),
    );
  return { gradients: mean('gradients'), exact: mean('exact') };
}

/** All values and velocities by name. */
export function weightsOf(session: Session, learner: Learner): Record<string, Float32Array> {
  const { values, velocities } = takeSnapshot(session, learner);
  const named = (kind: string, tensors: typeof values) =>
    Object.entries(tensors).map(([name, { data }]) => [`${kind} ${name}`, data]);
  return Object.fromEntries([...named('value', values), ...named('velocity', velocities)]);
}
