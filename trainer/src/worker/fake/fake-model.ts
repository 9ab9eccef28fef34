// A model that computes nothing much on no hardware: it trains, evaluates, exchanges and is saved as real ones are, gives the same
// bits for the same bytes, and fails where its plan says so.

import { crc32 } from 'node:zlib';
import type { Side } from '@trainer/protocol';
import type { ExchangeLayout, ExchangeMemory } from '../../allreduce/contract.js';
import type { ChannelStatistics } from '../../data/contract.js';
import { usageError } from '../../errors.js';
import type { InitialValue, ParameterRecord } from '../../nn/contract.js';
import type { SgdOptions } from '../../optim/sgd.js';
import { randomStream } from '../../random.js';
import type { ModelTensors } from '../../report/contract.js';
import type { FloatTensor } from '../../report/layout.js';
import type { Clock } from '../../time.js';
import type { DeviceModel, SharedOutcome, SharedStep } from '../device.js';
import { CORRECT, exactLength, FIRST_STATISTIC, LOSS, normsOf } from '../exact.js';
import type { Batch } from '../graphs.js';
import { localExchange } from '../local-exchange.js';
import type { LayerNorms, StepOutcome } from '../step.js';
import type { FaultPlan, Spoil } from './faults.js';
import { align, directions, examplesOf, isRight, lossOf } from './problem.js';

export interface FakeModelOptions {
  readonly side: Side;
  readonly title: string;
  readonly initial: ParameterRecord<InitialValue>;
  readonly isFrozen: (name: string) => boolean;
  readonly sgd: SgdOptions;
  readonly clock: Clock;
  readonly faults: FaultPlan;
  /** Shortest and longest time of a step's gradients; by the seed. */
  readonly stepMs: readonly [number, number];
  readonly seed: number;
}

type Tensors = Readonly<Record<string, FloatTensor>>;

/** Of a tensor that is trained: its weights, velocity, gradient and directions. */
interface Trained {
  readonly name: string;
  readonly matrix: boolean;
  readonly w: Float32Array;
  readonly velocity: Float32Array;
  readonly gradient: Float32Array;
  readonly u: Float32Array;
  readonly v: Float32Array;
}

/** Share of a batch's statistics in the running ones. */
const STATISTICS_MOMENTUM = 0.1;
const WEIGHT = '.weight';

export class FakeModel implements DeviceModel {
  readonly side: Side;
  readonly title: string;
  readonly layout: ExchangeLayout;
  readonly #options: FakeModelOptions;
  readonly #values: Tensors;
  readonly #velocities: Tensors;
  readonly #trained: readonly Trained[];
  readonly #statistics: readonly (readonly [mean: Float32Array, variance: Float32Array])[];
  readonly #exact: Float32Array;
  #norms: LayerNorms[] = [];
  #salt = 0;
  /** Since weights were placed. */
  #steps = 0;

  constructor(options: FakeModelOptions) {
    const { side, title, initial, isFrozen } = options;
    this.side = side;
    this.title = title;
    this.#options = options;
    this.#values = copies(initial);
    const trained = Object.entries(initial).filter(([name, { trainable }]) => trainable && !isFrozen(name));
    this.#velocities = zerosLike(Object.fromEntries(trained));
    this.#trained = trained.map(([name, { shape, data }]) => ({
      name,
      matrix: shape.length > 1,
      w: this.#values[name]!.data,
      velocity: this.#velocities[name]!.data,
      gradient: new Float32Array(data.length),
      ...directions(name, data.length),
    }));
    const norms = normsOf(Object.entries(initial).map(([name, { data }]) => [name, data.length]));
    this.#statistics = norms.map(([name]) => [
      this.#values[`${name}.running_mean`]!.data,
      this.#values[`${name}.running_var`]!.data,
    ]);
    this.#exact = new Float32Array(exactLength(norms));
    this.layout = { gradients: this.#trained.map(({ w }) => w.length), exact: [this.#exact.length] };
  }

  get norms(): LayerNorms[] {
    return this.#norms;
  }

  async train(batch: Batch, lr: number): Promise<StepOutcome> {
    const { loss, correct } = await this.trainShared({
      batches: [batch],
      lr,
      exchange: localExchange,
      examples: batch.labels.data.length,
    });
    return { loss, correct };
  }

  async trainShared({ batches, lr, exchange, examples }: SharedStep): Promise<SharedOutcome> {
    const { clock } = this.#options;
    const began = clock.now();
    this.#steps++;
    const count = this.#contribute(batches);
    await this.#work();
    this.#spoil(await this.#fault('gradients'), this.#trained[0]!.gradient, this.#exact);
    const computed = clock.now();
    const memory: ExchangeMemory = { gradients: this.#trained.map(({ gradient }) => gradient), exact: [this.#exact] };
    const times = await exchange({ ...memory, examples: count }, memory);
    const exchanged = clock.now();
    this.#apply(lr);
    this.#spoil(await this.#fault('apply'), this.#trained[0]!.w);
    return {
      loss: this.#exact[LOSS]!,
      correct: Math.round(this.#exact[CORRECT]! * examples),
      computeMs: computed - began,
      applyMs: clock.now() - exchanged,
      times,
    };
  }

  async evaluate(batch: Batch, count: number): Promise<StepOutcome> {
    const alignment = align(this.#trained);
    const sums = new Float32Array(1);
    let [loss, correct, seen] = [0, 0, 0];
    for (const example of examplesOf(batch, this.#salt)) {
      if (seen++ === count) break;
      loss += lossOf(example, alignment);
      correct += isRight(example, alignment) ? 1 : 0;
    }
    sums[0] = loss;
    this.#spoil(await this.#fault('evaluate'), sums);
    return { loss: sums[0]!, correct };
  }

  setPixels({ mean, std }: ChannelStatistics): void {
    this.#salt = crc32(Float64Array.of(...mean, ...std));
  }

  snapshot(into?: ModelTensors): ModelTensors {
    this.#spoil(this.#meet('snapshot'), this.#trained[0]!.w);
    const snapshot = into ?? { values: sharedLike(this.#values), velocities: sharedLike(this.#velocities) };
    copyAll(this.#values, snapshot.values);
    copyAll(this.#velocities, snapshot.velocities);
    return snapshot;
  }

  restore({ values, velocities }: ModelTensors, source: string): void {
    checkFit(this.#values, values, source);
    checkFit(this.#velocities, velocities, source);
    copyAll(values, this.#values);
    copyAll(velocities, this.#velocities);
    this.#steps = 0;
    this.#spoil(this.#meet('place'), this.#trained[0]!.w);
  }

  /** Means over this rank's examples, of which it returns the number. */
  #contribute(batches: readonly Batch[]): number {
    const alignment = align(this.#trained);
    let [examples, a, b, loss, right] = [0, 0, 0, 0, 0];
    for (const batch of batches)
      for (const example of examplesOf(batch, this.#salt)) {
        examples++;
        a += example.a;
        b += example.b;
        loss += lossOf(example, alignment);
        right += isRight(example, alignment) ? 1 : 0;
      }
    if (examples === 0) return 0;
    const [meanA, meanB] = [a / examples, b / examples];
    for (const { gradient, w, u, v } of this.#trained)
      for (let i = 0; i < w.length; i++) gradient[i] = w[i]! - meanA * u[i]! - meanB * v[i]!;
    this.#exact[LOSS] = loss / examples;
    this.#exact[CORRECT] = right / examples;
    this.#describe(meanA, meanB);
    return examples;
  }

  /** The norms' statistics of a batch: linear in its examples, as means are. */
  #describe(a: number, b: number): void {
    let at = FIRST_STATISTIC;
    for (const [mean] of this.#statistics) {
      for (let channel = 0; channel < mean.length; channel++) this.#exact[at++] = a * Math.cos(channel) + b;
      for (let channel = 0; channel < mean.length; channel++) this.#exact[at++] = 1 + b * Math.sin(channel);
    }
  }

  /** SGD as `optim/sgd.ts` does it, in float32; then the norms' running statistics. */
  #apply(lr: number): void {
    const { momentum, weightDecay, decayNorm } = this.#options.sgd;
    this.#norms = [];
    for (const { name, matrix, gradient, velocity, w } of this.#trained) {
      const decay = decayNorm || matrix ? weightDecay : 0;
      const before = { gradient: norm(gradient), weights: norm(w) };
      for (let i = 0; i < w.length; i++) {
        velocity[i] = gradient[i]! + momentum * velocity[i]! + decay * w[i]!;
        w[i] = w[i]! - lr * velocity[i]!;
      }
      if (matrix) this.#norms.push({ layer: name.slice(0, -WEIGHT.length), ...before, step: lr * norm(velocity) });
    }
    let at = FIRST_STATISTIC;
    for (const statistics of this.#statistics)
      for (const running of statistics)
        for (let i = 0; i < running.length; i++) running[i]! += STATISTICS_MOMENTUM * (this.#exact[at++]! - running[i]!);
  }

  async #work(): Promise<void> {
    const { stepMs, seed, clock, side } = this.#options;
    const [shortest, longest] = stepMs;
    if (longest === 0) return;
    const ms = shortest + randomStream(seed, 'step', side, this.#steps).uniform() * (longest - shortest);
    await new Promise<void>((resolve) => clock.later(resolve, ms));
  }

  #fault(phase: 'gradients' | 'apply' | 'evaluate'): Promise<Spoil> {
    return this.#options.faults.await(phase, this.side, this.#steps);
  }

  #meet(phase: 'place' | 'snapshot'): Spoil {
    return this.#options.faults.meet(phase, this.side, this.#steps);
  }

  #spoil(how: Spoil, ...memory: Float32Array[]): void {
    for (const data of how ? memory : []) data[0] = how === 'nan' ? Number.NaN : data[0]! + 1;
  }
}

const norm = (data: Float32Array): number => Math.sqrt(data.reduce((sum, x) => sum + x * x, 0));

const mapTensors = (tensors: Tensors, data: (tensor: FloatTensor) => Float32Array): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, { shape: tensor.shape, data: data(tensor) }]));

const copies = (tensors: Tensors): Tensors => mapTensors(tensors, ({ data }) => Float32Array.from(data));
const zerosLike = (tensors: Tensors): Tensors => mapTensors(tensors, ({ data }) => new Float32Array(data.length));
const sharedLike = (tensors: Tensors): Tensors =>
  mapTensors(tensors, ({ data }) => new Float32Array(new SharedArrayBuffer(data.byteLength)));

function copyAll(from: Tensors, to: Tensors): void {
  for (const [name, { data }] of Object.entries(to)) data.set(from[name]!.data);
}

function checkFit(ours: Tensors, given: Tensors, source: string): void {
  for (const [name, { shape }] of Object.entries(ours))
    if (given[name]?.shape.join() !== shape.join())
      throw usageError(`${source} has no ${name} of shape [${shape}]: it is of another model`);
}
