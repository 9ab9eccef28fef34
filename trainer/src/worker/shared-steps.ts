// A training step that several ranks take together: a graph for this rank's gradients, the exchange, and a graph that applies
// the mean. C channels of a norm.
//
//   batches ─► gradients ─► lent results ─► exchange ─► memory that apply is fed from ─► apply ─► variables
//
// What crosses besides the gradients is one vector: exact.ts.
import * as tf from '@tensorflow/tfjs-core';
import type { Contribution, ExchangeLayout, ExchangeMemory, ExchangeTimes } from '../allreduce/contract.js';
import type { Compiled, HostSpec, HostTensor, JitOptions, Session, Tensors } from '../jit/contract.js';
import type { BatchStatistics, TrainingPass } from '../nn/contract.js';
import { moveRunning } from '../nn/layers.js';
import { syncBatchNorm } from '../nn/sync-batch-norm.js';
import { CORRECT, exactLength, FIRST_STATISTIC, LOSS, type NormChannels, normsOf } from './exact.js';
import { type Batch, type BatchInputs, descend, gradientsOf, type PixelInputs, type Trained } from './graphs.js';
import { type SyncExchange, syncLayout } from './sync-exchange.js';

export interface SharedRequest {
  /** This rank's examples in parts that its device holds at once: one, several to accumulate, or none. Free again once the promise settles. */
  readonly batches: readonly Batch[];
  /** Of all ranks together. */
  readonly examples: number;
  readonly lr: number;
  /** Writes the mean over all ranks into `into`; no array of either may be looked at once the promise settles. */
  readonly exchange: (contribution: Contribution, into: ExchangeMemory) => Promise<ExchangeTimes>;
  /**
   * Where norms are over all ranks: called in the middle of each part, as often and in the same order on every rank that has
   * examples. Absent where this rank has all of them, whose norms are its own.
   */
  readonly syncExchange?: SyncExchange;
}

/** Norms are over the examples of all ranks' parts, taken together in their order. */
export interface SyncNorm {
  readonly ranks: number;
}

export interface SharedOutcome {
  /** Mean over the examples of all ranks, before the update. */
  readonly loss: number;
  /** How many of all ranks' examples were right before the update. */
  readonly correct: number;
  /** Milliseconds until this rank's gradients were there, and of the update. */
  readonly computeMs: number;
  readonly applyMs: number;
  /** As the exchange gave them. */
  readonly times: ExchangeTimes;
}

/** Gradients by parameter name, and `exact`: the vector that crosses besides. Parameters have a dot in their names. */
type Means = Readonly<Record<string, tf.Tensor>>;
type ApplyInputs = Means & { readonly lr: tf.Scalar };
type Pixels = Record<keyof PixelInputs, HostTensor>;

/** What computes a part of a rank's examples. */
interface PartGraphs {
  readonly gradients: Compiled<Means>;
  /** Adds to the sums. */
  readonly accumulate: Compiled<Tensors>;
}

export class SharedSteps {
  readonly layout: ExchangeLayout;
  /** What norms exchange in the middle of a step, where they are over all ranks. */
  readonly syncLayout: ExchangeLayout | undefined;
  readonly #session: Session;
  readonly #trained: Trained;
  /** Norms with their channels, in the order of `exact`. */
  readonly #norms: readonly NormChannels[];
  /** By norms of this rank's own parts, and by those over all ranks. */
  readonly #own: PartGraphs;
  readonly #together: PartGraphs | undefined;
  readonly #takeSums: Compiled<Means>;
  readonly #apply: Compiled<{ norms: tf.Tensor2D }>;
  readonly #share = { shape: [], dtype: 'float32', data: new Float32Array(1) } as const;
  /** What is accumulated over the parts of a step: made for the first step that has several, zero between steps. */
  #sums: Readonly<Record<string, tf.Variable>> | undefined;
  /** A step that failed has left something in the sums. */
  #sumsAreSpoiled = false;
  /** How norms exchange in this step, and the examples of its parts, that which is computed just now at the front. */
  #sync: { readonly exchange: SyncExchange; readonly examples: number[] } | undefined;

  /** Nothing is traced before the first step. */
  constructor(session: Session, trained: Trained, { syncNorm, ...options }: JitOptions & { readonly syncNorm?: SyncNorm }) {
    const { values, velocities, model } = trained;
    this.#session = session;
    this.#trained = trained;
    this.#norms = normsOf(Object.entries(values).map(([name, { size }]) => [name, size]));
    this.layout = { gradients: Object.values(velocities).map((v) => v.size), exact: [exactLength(this.#norms)] };
    const named = (part: string): JitOptions => ({ ...options, name: `${model.side}_${part}` });
    this.#own = this.#partGraphs(named);
    if (syncNorm && this.#norms.length > 0) {
      this.syncLayout = syncLayout(Math.max(...this.#norms.map(([, channels]) => channels)));
      const onExchange: JitOptions['onExchange'] = (...sent) => this.#synchronize(...sent);
      this.#together = this.#partGraphs((part) => ({ ...named(`sync_${part}`), onExchange }), syncNorm);
    }
    this.#takeSums = session.jit(() => this.#takeSumsStep(), named('sums'));
    this.#apply = session.jit((inputs: ApplyInputs) => this.#applyStep(inputs), named('apply'));
  }

  /** `norms` receives those of the step. */
  async run(request: SharedRequest, pixels: Pixels, norms: HostTensor): Promise<SharedOutcome> {
    const { batches, examples, lr, exchange } = request;
    const began = performance.now();
    this.#sync = this.#together && syncOf(request);
    const fed = this.#fed();
    const into = this.#memory(fed);
    let computed = began;
    const share = (means: Contribution): Promise<ExchangeTimes> => {
      computed = performance.now();
      return exchange(means, into);
    };
    const times = await this.#contribute(batches, pixels, share, into);
    const applying = performance.now();
    const [exact] = into.exact;
    const outcome = { loss: exact![LOSS]!, correct: Math.round(exact![CORRECT]! * examples) };
    fed['lr']!.data[0] = lr;
    await this.#apply.runAsync(fed, { norms });
    return { ...outcome, computeMs: computed - began, applyMs: performance.now() - applying, times };
  }

  dispose(): void {
    for (const sum of Object.values(this.#sums ?? {})) sum.dispose();
  }

  #partGraphs(named: (part: string) => JitOptions, syncNorm?: SyncNorm): PartGraphs {
    return {
      gradients: this.#session.jit((inputs: BatchInputs) => this.#meansOf(inputs, syncNorm), named('gradients')),
      accumulate: this.#session.jit(
        (inputs: BatchInputs & { share: tf.Scalar }) => this.#accumulateStep(inputs, syncNorm),
        named('accumulate'),
      ),
    };
  }

  /** Of this step. */
  get #parts(): PartGraphs {
    return this.#sync ? this.#together! : this.#own;
  }

  /** A rank's own means of a norm become those of all ranks. Each part's exchanges are counted from 0. */
  #synchronize(values: Float32Array, index: number): void | Promise<void> {
    const { exchange, examples } = this.#sync!;
    if (index === 0) examples.shift();
    return exchange(values, examples[0]!);
  }

  /** Hands this rank's means to `share` without a copy. */
  #contribute(
    batches: readonly Batch[],
    pixels: Pixels,
    share: (means: Contribution) => Promise<ExchangeTimes>,
    unused: ExchangeMemory,
  ): Promise<ExchangeTimes> {
    const examples = batches.reduce((sum, { labels }) => sum + labels.data.length, 0);
    const use = (results: Record<string, HostTensor>): Promise<ExchangeTimes> => share({ ...this.#memory(results), examples });
    if (batches.length > 1) return this.#accumulated(batches, { pixels, examples, use });
    const [only] = batches;
    // Of a rank without examples the others look at no memory.
    return only ? this.#parts.gradients.runLending({ ...only, ...pixels }, use) : share({ ...unused, examples });
  }

  async #accumulated<T>(
    batches: readonly Batch[],
    { pixels, examples, use }: { pixels: Pixels; examples: number; use: (results: Record<string, HostTensor>) => Promise<T> },
  ): Promise<T> {
    this.#sums ??= this.#makeSums();
    if (this.#sumsAreSpoiled) this.#clearSums(this.#sums);
    this.#sumsAreSpoiled = true;
    for (const batch of batches) {
      this.#share.data[0] = batch.labels.data.length / examples;
      await this.#parts.accumulate.runAsync({ ...batch, ...pixels, share: this.#share });
    }
    return await this.#takeSums.runLending({}, (sums) => {
      this.#sumsAreSpoiled = false;
      return use(sums);
    });
  }

  /** What the apply graph is fed from. */
  #fed(): Readonly<Record<string, HostTensor>> {
    const shapes = Object.entries({ ...this.#trained.velocities }).map(([name, { shape }]) => [name, shape] as const);
    const specs = [...shapes, ['exact', this.layout.exact], ['lr', []]] as const;
    return this.#apply.memory(
      Object.fromEntries(specs.map(([name, shape]): [string, HostSpec] => [name, { shape, dtype: 'float32' }])),
    );
  }

  /** Named tensors in the order of the layout. */
  #memory(tensors: Readonly<Record<string, HostTensor>>): ExchangeMemory {
    const data = (name: string): Float32Array => tensors[name]!.data as Float32Array;
    return { gradients: Object.keys(this.#trained.velocities).map(data), exact: [data('exact')] };
  }

  /** The batch's gradients and `exact`; times `share`, where given. */
  #meansOf({ share, ...inputs }: BatchInputs & { share?: tf.Scalar }, syncNorm: SyncNorm | undefined): Means {
    const statistics = new Map<string, BatchStatistics>();
    const { loss, correct, gradients } = gradientsOf(this.#trained, inputs, {
      training: { onStatistics: (norm, seen) => statistics.set(norm, seen), ...normalize(syncNorm, share) },
      ...(share && { factor: share }),
    });
    const perNorm = this.#norms.flatMap(([norm]) => [statistics.get(norm)!.mean, statistics.get(norm)!.variance]);
    const scalars = [loss, tf.div(correct, inputs.labels.shape[0])].map((scalar) => tf.reshape(scalar, [1]) as tf.Tensor1D);
    const exact = tf.concat1d([...scalars, ...perNorm]);
    tf.dispose(perNorm);
    return { ...gradients, exact: share ? tf.mul(exact, share) : exact };
  }

  #accumulateStep(inputs: BatchInputs & { share: tf.Scalar }, syncNorm: SyncNorm | undefined): Tensors {
    for (const [name, mean] of Object.entries(this.#meansOf(inputs, syncNorm))) {
      const sum = this.#sums![name]!;
      sum.assign(tf.add(sum, mean));
    }
    return {};
  }

  #takeSumsStep(): Means {
    const entries = Object.entries(this.#sums!).map(([name, sum]) => {
      const taken = tf.clone(sum as tf.Tensor);
      sum.assign(tf.zerosLike(sum as tf.Tensor));
      return [name, taken] as const;
    });
    return Object.fromEntries(entries);
  }

  #applyStep({ exact, lr, ...gradients }: ApplyInputs): { norms: tf.Tensor2D } {
    let at = FIRST_STATISTIC;
    for (const [norm, channels] of this.#norms) {
      const [mean, variance] = [at, at + channels].map((from) => tf.slice1d(exact as tf.Tensor1D, from, channels));
      moveRunning(this.#trained.values, norm, { mean: mean!, variance: variance! });
      at += 2 * channels;
    }
    return { norms: descend(this.#trained, gradients, lr) };
  }

  #makeSums(): Readonly<Record<string, tf.Variable>> {
    const shapes = Object.entries(this.#trained.velocities).map(([name, { shape }]) => [name, shape] as const);
    const entries = [...shapes, ['exact', this.layout.exact] as const].map(([name, shape]) => {
      const zeros = tf.zeros([...shape]);
      const sum = tf.variable(zeros, false);
      zeros.dispose();
      return [name, sum] as const;
    });
    this.#session.adopt(entries.map(([, sum]) => sum));
    return Object.fromEntries(entries);
  }

  #clearSums(sums: Readonly<Record<string, tf.Variable>>): void {
    const all = Object.values(sums);
    this.#session.write(
      all,
      all.map(({ size }) => new Float32Array(size)),
    );
  }
}

function normalize(syncNorm: SyncNorm | undefined, share: tf.Scalar | undefined): Pick<TrainingPass, 'normalize'> {
  if (!syncNorm) return {};
  const options = { ...syncNorm, ...(share && { share }) };
  return { normalize: (x, scale, offset) => syncBatchNorm(x, scale, offset, options) };
}

function syncOf({ batches, syncExchange }: SharedRequest): { exchange: SyncExchange; examples: number[] } | undefined {
  return syncExchange && { exchange: syncExchange, examples: [0, ...batches.map(({ labels }) => labels.data.length)] };
}
