// The input pipeline: the next batch is cut out and augmented while the engine computes the current one.
import { fillTrainingBatch } from '../data/batches.js';
import type { ImageSet } from '../data/contract.js';
import { epochOrder } from '../data/sampler.js';
import { type Plan, partOf, type Range } from './plan.js';
import type { Batch } from './step.js';

export interface FeedOptions {
  readonly set: ImageSet;
  /** The training images among the set's. */
  readonly indices: Uint32Array;
  readonly plan: Plan;
  readonly seed: number;
  /** RGB bytes around a cropped image: the training images' mean, which is 0 once normalized. */
  readonly pad: readonly [number, number, number];
  /** This rank's part of each batch is filled, of so many. */
  readonly rank: number;
  readonly ranks: number;
  /**
   * Ranks compute each part of a step together, so that all of them need as many. A batch with less than an example for each is the
   * first rank's alone.
   */
  readonly together: boolean;
}

interface Slot {
  readonly images: Uint8Array;
  readonly labels: Int32Array;
  /** The number of steps completed before the one whose batch this is; -1 while empty. */
  step: number;
}

/** Two batches in memory that stays: one to train on, one being filled. */
export class BatchFeed {
  readonly #options: FeedOptions;
  readonly #slots: readonly [Slot, Slot];
  #order: { readonly epoch: number; readonly indices: Uint32Array } | undefined;
  /** Milliseconds spent filling batches, and the most of them that the engine may have waited for. */
  fillMs = 0;
  waitMs = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
    const { set, plan, ranks, together } = options;
    const { height, width } = set;
    const most = Math.max(Math.ceil(plan.batchSize / ranks), together ? ranks - 1 : 0);
    const slot = (): Slot => ({
      images: new Uint8Array(most * height * width * 3),
      labels: new Int32Array(most),
      step: -1,
    });
    this.#slots = [slot(), slot()];
  }

  /**
   * The batch of the step that follows `step` completed ones, in so many pieces or as many as there are examples for; their memory
   * stays until `prefetch(step + 2)`.
   */
  take(step: number, wanted: number): Batch[] {
    const began = performance.now();
    const slot = this.#fill(step);
    this.waitMs += performance.now() - began;
    const whole = { start: 0, count: this.#range(step).count };
    const pieces = this.#piecesOf(step, wanted);
    return Array.from({ length: pieces }, (_, i) => partOf(whole, i, pieces))
      .filter(({ count }) => count > 0)
      .map((range) => this.#batch(slot, range));
  }

  /** Fills the batch that `take(step)` will give. Returns the milliseconds that took. */
  prefetch(step: number): number {
    const before = this.fillMs;
    if (step < this.#options.plan.steps) this.#fill(step);
    return this.fillMs - before;
  }

  /** The batch of this step is the first rank's alone. */
  isUndivided(step: number): boolean {
    const { plan, ranks, together } = this.#options;
    return together && plan.batch(step).count < ranks;
  }

  #fill(step: number): Slot {
    const slot = this.#slots[step % 2 === 0 ? 0 : 1];
    if (slot.step === step) return slot;
    const began = performance.now();
    const { set, seed, plan, pad } = this.#options;
    const { epoch } = plan.batch(step);
    const { start, count } = this.#range(step);
    fillTrainingBatch({ set, order: this.#orderOf(epoch), start, count, seed, epoch, pad }, slot);
    slot.step = step;
    this.fillMs += performance.now() - began;
    return slot;
  }

  #batch({ images, labels }: Slot, { start, count }: Range): Batch {
    const { height, width } = this.#options.set;
    const pixels = height * width * 3;
    return {
      images: {
        shape: [count, height, width, 3],
        dtype: 'uint8',
        data: images.subarray(start * pixels, (start + count) * pixels),
      },
      labels: { shape: [count], dtype: 'int32', data: labels.subarray(start, start + count) },
    };
  }

  /** Where this rank's part of the batch lies in the epoch's order. */
  #range(step: number): Range {
    const { plan, rank, ranks } = this.#options;
    const batch = plan.batch(step);
    if (this.isUndivided(step)) return rank === 0 ? batch : { ...batch, count: 0 };
    return partOf(batch, rank, ranks);
  }

  #piecesOf(step: number, wanted: number): number {
    const { plan, ranks, together } = this.#options;
    if (!together || this.isUndivided(step)) return wanted;
    // As many as the smallest share has examples.
    return Math.min(wanted, Math.floor(plan.batch(step).count / ranks));
  }

  #orderOf(epoch: number): Uint32Array {
    if (this.#order?.epoch !== epoch)
      this.#order = { epoch, indices: epochOrder(this.#options.indices, this.#options.seed, epoch) };
    return this.#order.indices;
  }
}
