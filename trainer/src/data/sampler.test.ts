import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { epochOrder } from './sampler.js';

const indices = fc.uniqueArray(fc.nat(2 ** 32 - 1), { maxLength: 200 }).map((list) => Uint32Array.from(list));
const seed = fc.maxSafeNat();
const epoch = fc.integer({ min: 1, max: 10_000 });

/** What each of `ranks` sees of each global batch, put together again as the ranks share it out. */
function throughRanks(order: Uint32Array, ranks: number, perRank: number): number[] {
  const seen: number[] = [];
  for (let start = 0; start < order.length; start += ranks * perRank) {
    for (let rank = 0; rank < ranks; rank++) {
      seen.push(...order.subarray(start + rank * perRank, start + (rank + 1) * perRank));
    }
  }
  return seen;
}

describe('epochOrder', () => {
  it('is a permutation of the indices', () => {
    fc.assert(
      fc.property(indices, seed, epoch, (list, s, e) => {
        expect(epochOrder(list, s, e).sort()).toEqual(list.slice().sort());
      }),
    );
  });

  it('leaves its input as it is', () => {
    const list = Uint32Array.of(3, 1, 2);
    epochOrder(list, 0, 1);
    expect([...list]).toEqual([3, 1, 2]);
  });

  it('is the same for every number of ranks', () => {
    fc.assert(
      fc.property(indices, seed, epoch, fc.integer({ min: 1, max: 8 }), (list, s, e, ranks) => {
        expect(throughRanks(epochOrder(list, s, e), ranks, 4)).toEqual([...epochOrder(list, s, e)]);
      }),
    );
  });

  it('differs from epoch to epoch and from seed to seed', () => {
    const list = Uint32Array.from({ length: 1000 }, (_, i) => i);
    const orders = [epochOrder(list, 1, 1), epochOrder(list, 1, 2), epochOrder(list, 2, 1)].map(String);
    expect(new Set(orders).size).toBe(3);
  });

  it('puts every index first about equally often', () => {
    const first = [0, 0, 0, 0];
    for (let e = 1; e <= 4000; e++) first[epochOrder(Uint32Array.of(0, 1, 2, 3), 7, e)[0]!]!++;
    // Five standard deviations of a binomial with n = 4000, p = 1/4.
    for (const count of first) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(4000 * 0.25 * 0.75));
  });

  it('stays as it was, so that runs can be repeated', () => {
    expect([...epochOrder(Uint32Array.of(0, 1, 2, 3, 4, 5, 6, 7), 42, 1)]).toMatchInlineSnapshot(`
      [
        5,
        6,
        3,
        1,
        7,
        0,
        2,
        4,
      ]
    `);
  });
});
