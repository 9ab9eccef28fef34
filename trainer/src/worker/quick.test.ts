import { describe, expect, it } from 'vitest';
import { quickSize } from './quick.js';

const CIFAR = { train: 50_000, test: 10_000 };
/** Seconds of training and evaluating that a size means: a pair of models, forward passes a third of a step. */
const seconds = ({ limitTrain, limitTest, epochs }: ReturnType<typeof quickSize>, imagesPerSec: number): number =>
  (2 * epochs * (limitTrain! + limitTest! / 3)) / imagesPerSec;

describe('the quick preset', () => {
  it.each([300, 400, 600, 900, 1200, 3000, 5000])('fits some four minutes at %i images per second', (imagesPerSec) => {
    const size = quickSize(imagesPerSec, 2, CIFAR);
    expect(seconds(size, imagesPerSec)).toBeLessThan(240);
    expect(seconds(size, imagesPerSec)).toBeGreaterThan(130);
    expect(size.epochs).toBeGreaterThanOrEqual(4);
  });

  it('spends the speed of two cores on epochs of 10,000 images', () => {
    expect(quickSize(900, 2, CIFAR)).toEqual({ limitTrain: 10_000, limitTest: 2_000, epochs: 8 });
  });

  it('takes more images where they are many enough, and never more than there are', () => {
    expect(quickSize(5_000, 2, CIFAR).limitTrain).toBeGreaterThan(40_000);
    expect(quickSize(1e6, 2, CIFAR)).toEqual({ limitTrain: 50_000, limitTest: 2_000, epochs: 12 });
    expect(quickSize(900, 2, { train: 500, test: 100 })).toEqual({ limitTrain: 500, limitTest: 100, epochs: 12 });
  });

  it('still trains something on a machine that is far too slow', () => {
    expect(quickSize(5, 2, CIFAR)).toEqual({ limitTrain: 1_000, limitTest: 500, epochs: 4 });
  });
});
