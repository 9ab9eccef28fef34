// Loss and accuracy of a model over images, with its running statistics.
import { fillEvaluationBatch } from '../data/batches.js';
import type { ImageSet } from '../data/contract.js';
import type { HostTensor } from '../jit/contract.js';
import type { DeviceModel } from './device.js';
import type { Range } from './plan.js';
import type { Sums } from './rank-protocol.js';

/** Evaluates in batches of one fixed shape, in memory that stays. */
export class PartEvaluator {
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

  /** Sums over the images `indices[start .. start + count)` of a set. */
  async sums(model: DeviceModel, set: ImageSet, indices: Uint32Array, { start, count }: Range): Promise<Sums> {
    const part = indices.subarray(start, start + count);
    const into = { images: this.#images.data, labels: this.#labels.data };
    const sums = { loss: 0, correct: 0 };
    for (let at = 0; at < part.length; at += this.#batchSize) {
      const filled = fillEvaluationBatch({ set, indices: part, start: at }, into);
      const { loss, correct } = await model.evaluate({ images: this.#images, labels: this.#labels }, filled);
      sums.loss += loss;
      sums.correct += correct;
    }
    return sums;
  }
}
