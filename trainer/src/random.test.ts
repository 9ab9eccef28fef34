import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from './random.js';

const draw = <T>(n: number, next: () => T): T[] => Array.from({ length: n }, next);
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

describe('a random stream', () => {
  it('gives these numbers for ever: runs are repeated by their seeds', () => {
    const order = randomStream(42, 'order', 3);
    expect(draw(4, order.uint32)).toEqual([959564654, 2559405481, 1306523459, 3574792259]);
    const plain = randomStream(42);
    expect([plain.uint32(), plain.uniform(), plain.normal(), plain.normal()]).toEqual([
      3869107743, 0.870818271767348, 1.6230765812787529, 0.35233872252059634,
    ]);
    expect(randomStream(0).uint32()).toBe(3625592336);
    expect(randomStream(2 ** 40 + 1, 'a').uint32()).toBe(3106388907);
  });

  it('differs by seed, by label, by where labels end, and by whether a label is a number', () => {
    const firsts = [
      randomStream(1),
      randomStream(2),
      randomStream(1 + 2 ** 32),
      randomStream(1, 'ab'),
      randomStream(1, 'a', 'b'),
      randomStream(1, 'b', 'a'),
      randomStream(1, 12),
      randomStream(1, '12'),
      randomStream(1, 1, 2),
    ].map((stream) => stream.uint32());
    expect(new Set(firsts).size).toBe(firsts.length);
  });

  it('depends on nothing that was drawn from other streams', () => {
    const alone = draw(5, randomStream(7, 'x').uint32);
    const [x, y] = [randomStream(7, 'x'), randomStream(7, 'y')];
    const between = draw(5, () => [y.uint32(), x.uint32()] as const);
    expect(between.map(([, ofX]) => ofX)).toEqual(alone);
  });

  it('is uniform: every bit is set half the time, neighbouring numbers are unrelated', () => {
    const n = 20_000;
    const stream = randomStream(1, 'bits');
    const words = draw(n, stream.uint32);
    // Five deviations of a share of n coin flips.
    const limit = 5 * Math.sqrt(0.25 / n);
    for (let bit = 0; bit < 32; bit++)
      expect(Math.abs(mean(words.map((word) => (word >>> bit) & 1)) - 0.5), `bit ${bit}`).toBeLessThan(limit);
    const same = words.slice(1).map((word, i) => ((word ^ words[i]!) >>> 31) ^ 1);
    expect(Math.abs(mean(same) - 0.5)).toBeLessThan(limit);
  });

  it('fills ten bins of the unit interval evenly', () => {
    const n = 20_000;
    const counts = new Array<number>(10).fill(0);
    for (const value of draw(n, randomStream(2, 'bins').uniform)) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThan(1);
      counts[Math.floor(value * 10)]!++;
    }
    // Chi-squared with 9 degrees of freedom exceeds 33.7 once in 10,000.
    expect(counts.reduce((sum, count) => sum + (count - n / 10) ** 2 / (n / 10), 0)).toBeLessThan(33.7);
  });

  it('draws normal numbers: moments to within five deviations', () => {
    const n = 20_000;
    const values = draw(n, randomStream(3, 'normal').normal);
    expect(Math.abs(mean(values))).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(mean(values.map((v) => v ** 2)) - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect(Math.abs(mean(values.map((v) => v ** 3)))).toBeLessThan(5 * Math.sqrt(15 / n));
    expect(Math.abs(mean(values.map((v) => v ** 4)) - 3)).toBeLessThan(5 * Math.sqrt(96 / n));
  });

  it('draws integers below any bound, each as likely', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 }), fc.nat(), (n, seed) => {
        const value = randomStream(seed, 'below').below(n);
        expect(Number.isInteger(value) && value >= 0 && value < n).toBe(true);
      }),
      { seed: 1 },
    );
    // A bound for which the remainder alone would make the lower half twice as likely.
    const third = 3 * 2 ** 30;
    const stream = randomStream(4, 'bias');
    const low = draw(6000, () => Number(stream.below(third) < third / 2));
    expect(Math.abs(mean(low) - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / 6000));
  });
});
