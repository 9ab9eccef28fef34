import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ExchangeLayout, Wire } from './contract.js';
import { BLOCK_FLOATS, describeLayout, planBuckets, sliceOf } from './plan.js';

const LAYOUT = fc.record({
  gradients: fc.array(fc.nat(40_000), { maxLength: 6 }),
  exact: fc.array(fc.nat(100), { maxLength: 3 }),
});

/** What is wrong with a plan; nothing is. */
function faultsOf(layout: ExchangeLayout, wire: Wire, bucketFloats: number): string[] {
  const faults: string[] = [];
  const check = (holds: boolean, what: string) => void (holds || faults.push(what));
  const reached = { gradients: layout.gradients.map(() => 0), exact: layout.exact.map(() => 0) };
  for (const bucket of planBuckets(layout, wire, bucketFloats)) {
    check(bucket.floats <= bucketFloats, 'a bucket is too long');
    let at = 0;
    for (const piece of bucket.pieces) {
      check(piece.at === at && piece.from === reached[piece.part][piece.array], 'a piece is out of order');
      check(piece.part === 'gradients' || bucket.wire === 'fp32', 'an exact array is rounded');
      at += piece.floats;
      reached[piece.part][piece.array]! += piece.floats;
    }
    check(at === bucket.floats, 'a bucket is not full');
  }
  check(JSON.stringify(reached) === JSON.stringify(layout), 'an array is not covered');
  return faults;
}

test('pieces cover every array once, in order, and fill their buckets', () => {
  const wires = fc.constantFrom<Wire>('fp32', 'bf16');
  fc.assert(
    fc.property(LAYOUT, wires, fc.constantFrom(32, 4096, 65_536), (layout, wire, bucketFloats) => {
      expect(faultsOf(layout, wire, bucketFloats)).toEqual([]);
    }),
  );
});

test('nothing is exchanged in one empty bucket', () => {
  expect(planBuckets({ gradients: [0], exact: [] }, 'fp32', 32)).toEqual([{ wire: 'fp32', floats: 0, pieces: [] }]);
});

test('slices cover all blocks of a bucket once, and differ by at most one block', () => {
  for (const ranks of [1, 2, 3, 7, 8]) {
    for (const floats of [0, 1, 32, 33, 1000, 262_144]) {
      const slices = Array.from({ length: ranks }, (_, rank) => sliceOf(floats, ranks, rank));
      const sizes = slices.map(({ blocks }) => blocks);
      expect(slices.map(({ from }) => from)).toEqual(sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0)));
      expect(sizes.reduce((a, b) => a + b, 0) * BLOCK_FLOATS).toBeGreaterThanOrEqual(floats);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }
  }
});

test('layouts that differ anywhere have other words', () => {
  const layouts = [
    { gradients: [1, 2], exact: [3] },
    { gradients: [2, 1], exact: [3] },
    { gradients: [1, 2, 3], exact: [] },
    { gradients: [1], exact: [2, 3] },
    { gradients: [1, 2], exact: [4] },
  ];
  expect(new Set(layouts.map(describeLayout)).size).toBe(layouts.length);
  expect(describeLayout(layouts[0]!)).toMatch(/^2\+1 arrays of 3\+3 floats \([0-9a-f]{8}\)$/);
});
