import { describe, expect, it } from 'vitest';
import { channelStatistics, MINIMUM_STD } from './statistics.js';

const setOf = (...pixels: number[][]) => ({
  count: pixels.length,
  height: 1,
  width: 1,
  images: Uint8Array.from(pixels.flat()),
  labels: new Int32Array(pixels.length),
});

describe('channelStatistics', () => {
  it('gives mean and population deviation of each channel', () => {
    const { mean, std } = channelStatistics(setOf([0, 10, 200], [4, 30, 100]), Uint32Array.of(0, 1));
    expect(mean).toEqual([2, 20, 150]);
    expect(std).toEqual([2, 10, 50]);
  });

  it('looks at the chosen images alone', () => {
    expect(channelStatistics(setOf([0, 0, 0], [9, 9, 9], [5, 3, 1]), Uint32Array.of(2)).mean).toEqual([5, 3, 1]);
  });

  it('never gives a deviation below its floor, so that a constant channel can be divided by it', () => {
    expect(channelStatistics(setOf([7, 7, 7], [7, 7, 7]), Uint32Array.of(0, 1)).std).toEqual([
      MINIMUM_STD,
      MINIMUM_STD,
      MINIMUM_STD,
    ]);
  });

  it('is exact over many bright images', () => {
    const images = new Uint8Array(1000 * 3072).fill(255);
    images.fill(253, images.length / 2);
    const set = { count: 1000, height: 32, width: 32, images, labels: new Int32Array(1000) };
    const { mean, std } = channelStatistics(
      set,
      Uint32Array.from({ length: 1000 }, (_, i) => i),
    );
    expect(mean).toEqual([254, 254, 254]);
    expect(std).toEqual([1, 1, 1]);
  });

  it('refuses to work on nothing', () => {
    expect(() => channelStatistics(setOf([1, 2, 3]), new Uint32Array())).toThrow(RangeError);
  });
});
