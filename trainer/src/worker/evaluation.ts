// Loss and accuracy of a model over a whole set of images, with its running statistics.
import { fillEvaluationBatch } from '../data/batches.js';
import type { ImageSet } from '../data/contract.js';
import type { HostTensor } from '../jit/contract.js';
import type { Learner } from './step.js';

export interface Score {
  /** Mean cross-entropy. */
  readonly loss: number;
  /** Percent. */
  readonly accuracy: number;
}

/** What an epoch ends with; absent where there are no images of the kind. */
export interface EpochScores {
  readonly validation: Score | undefined;
  readonly test: Score | undefined;
}

/** Evaluates in batches of one fixed shape, in memory that stays. */
export class Evaluator {
  readonly #batchSize: number;
  readonly #images: HostTensor & { data: Uint8Array };
  readonly #labels: HostTensor & { data: Int32Array };

  constructor({ height, width }: ImageSet, batchSize: number) {
    this.#batchSize = batchSize;
    this.#images = {
      shape: [batchSize, height, width, 3],
      dtype: 'uint8',
      data: new Uint8Array(batchSize * height * width * 3),
    };
    this.#labels = { shape: [batchSize], dtype: 'int32', data: new Int32Array(batchSize) };
  }

  /** Undefined where there are no images, or `stopped` says to leave off. */
  async score(learner: Learner, set: ImageSet, indices: Uint32Array, stopped: () => boolean): Promise<Score | undefined> {
    const sums = { loss: 0, correct: 0 };
    const into = { images: this.#images.data, labels: this.#labels.data };
    for (let start = 0; start < indices.length; start += this.#batchSize) {
      if (stopped()) return undefined;
      const count = fillEvaluationBatch({ set, indices, start }, into);
      const { loss, correct } = await learner.evaluate({ images: this.#images, labels: this.#labels }, count);
      sums.loss += loss;
      sums.correct += correct;
    }
    const count = indices.length;
    return count === 0 ? undefined : { loss: sums.loss / count, accuracy: (100 * sums.correct) / count };
  }
}
