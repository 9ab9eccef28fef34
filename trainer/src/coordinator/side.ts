// One of the two models as the loop keeps book of it: means of the epoch so far, latest scores, best epoch, time of its own.
import type { Side, SideProgress, SideState } from '@trainer/protocol';
import type { StepOutcome } from '../worker/step.js';
import type { EpochScores } from './scores.js';

export class SideBook {
  readonly side: Side;
  /** For messages: 'ResNet-20'. */
  readonly title: string;
  #state: { -readonly [K in keyof SideState]: SideState[K] };

  constructor({ side, title }: { readonly side: Side; readonly title: string }, state?: SideState) {
    this.side = side;
    this.title = title;
    this.#state = state ? { ...state } : freshState();
  }

  get state(): SideState {
    return { ...this.#state, sums: { ...this.#state.sums } };
  }

  get imagesPerSec(): number | null {
    return this.#state.stepSeconds > 0 ? this.#state.images / this.#state.stepSeconds : null;
  }

  addStep({ loss, correct }: StepOutcome, examples: number): void {
    const { sums } = this.#state;
    this.#state.sums = {
      loss: sums.loss + loss * examples,
      correct: sums.correct + correct,
      examples: sums.examples + examples,
    };
  }

  /** The first step of a shape is not counted: it contains the compilation. */
  addTime(seconds: number, images: number): void {
    this.#state.stepSeconds += seconds;
    this.#state.images += images;
  }

  /** Means over the epoch so far, and the newest scores. */
  get progress(): SideProgress {
    const { sums, valAccuracy, testAccuracy } = this.#state;
    const examples = Math.max(1, sums.examples);
    return {
      loss: sums.loss / examples,
      accuracy: (100 * sums.correct) / examples,
      ...(valAccuracy !== null && { valAccuracy }),
      ...(testAccuracy !== null && { testAccuracy }),
    };
  }

  /** Takes the epoch's results; returns whether the validation accuracy is the best so far. */
  endEpoch(epoch: number, { validation, test }: EpochScores): boolean {
    const state = this.#state;
    state.trainError = 100 - this.progress.accuracy;
    if (test) state.testAccuracy = test.accuracy;
    if (!validation) return false;
    state.valAccuracy = validation.accuracy;
    if (state.bestValAccuracy !== null && validation.accuracy <= state.bestValAccuracy) return false;
    state.bestValAccuracy = validation.accuracy;
    state.bestEpoch = epoch;
    return true;
  }

  startEpoch(): void {
    this.#state.sums = freshState().sums;
  }
}

const freshState = (): SideState => ({
  sums: { loss: 0, correct: 0, examples: 0 },
  trainError: null,
  valAccuracy: null,
  testAccuracy: null,
  bestEpoch: null,
  bestValAccuracy: null,
  stepSeconds: 0,
  images: 0,
});
