// Loss and accuracy of every model over the validation and test images, by all ranks together, a batch at a time.
import type { Side } from '@trainer/protocol';
import type { SetName } from '../worker/rank-protocol.js';
import type { RankGroup } from './contract.js';

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

export interface ScoreOptions {
  readonly group: RankGroup;
  readonly side: Side;
  readonly set: SetName;
  /** Images of the set. */
  readonly images: number;
  readonly batchSize: number;
  /** Asked between batches. */
  readonly stopped: () => boolean;
}

/** Undefined where there are no images, or `stopped` says to leave off. */
export async function score({ group, side, set, images, batchSize, stopped }: ScoreOptions): Promise<Score | undefined> {
  const sums = { loss: 0, correct: 0 };
  for (let start = 0; start < images; start += batchSize) {
    if (stopped()) return undefined;
    const { loss, correct } = await group.score({ side, set, start, count: Math.min(batchSize, images - start) });
    sums.loss += loss;
    sums.correct += correct;
  }
  return images === 0 ? undefined : { loss: sums.loss / images, accuracy: (100 * sums.correct) / images };
}
