import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fillEvaluationBatch, fillTrainingBatch } from './batches.js';

const PAD = [251, 252, 253] as const;

/** Images whose every pixel tells where it is: red = row, green = column, blue = image. */
function coordinates(count: number, height: number, width: number) {
  const images = new Uint8Array(count * height * width * 3);
  for (let n = 0, i = 0; n < count; n++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++, i += 3) images.set([y, x, n], i);
    }
  }
  return { count, height, width, images, labels: Int32Array.from({ length: count }, (_, n) => 100 + n) };
}

const memory = (count: number, height: number, width: number) => ({
  images: new Uint8Array(count * height * width * 3).fill(99),
  labels: new Int32Array(count).fill(99),
});

const range = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => i);

interface Crop {
  readonly dy: number;
  readonly dx: number;
  readonly flip: boolean;
}

/** The one crop and flip that explains the image, or undefined. */
function explain(image: Uint8Array, index: number, height: number, width: number): Crop | undefined {
  for (let dy = -4; dy <= 4; dy++) {
    for (let dx = -4; dx <= 4; dx++) {
      for (const flip of [false, true]) {
        if (isCrop(image, index, [height, width], { dy, dx, flip })) return { dy, dx, flip };
      }
    }
  }
  return undefined;
}

function isCrop(image: Uint8Array, index: number, [height, width]: [number, number], { dy, dx, flip }: Crop): boolean {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [row, column] = [y + dy, (flip ? width - 1 - x : x) + dx];
      const inside = row >= 0 && row < height && column >= 0 && column < width;
      const expected = inside ? [row, column, index] : PAD;
      if (expected.some((value, c) => image[(y * width + x) * 3 + c] !== value)) return false;
    }
  }
  return true;
}

describe('fillTrainingBatch', () => {
  it('gives a crop of the padded image, maybe flipped, and its label', () => {
    const size = fc.integer({ min: 5, max: 12 });
    fc.assert(
      fc.property(size, size, fc.maxSafeNat(), fc.integer({ min: 1, max: 99 }), (height, width, seed, epoch) => {
        const set = coordinates(3, height, width);
        const into = memory(2, height, width);
        fillTrainingBatch({ set, order: Uint32Array.of(0, 2, 1), start: 1, count: 2, seed, epoch, pad: PAD }, into);
        expect([...into.labels]).toEqual([102, 101]);
        const bytes = height * width * 3;
        expect(explain(into.images.subarray(0, bytes), 2, height, width)).toBeDefined();
        expect(explain(into.images.subarray(bytes), 1, height, width)).toBeDefined();
      }),
      { numRuns: 50 },
    );
  });

  it('draws every shift and both directions about equally often', () => {
    const set = coordinates(200, 12, 12);
    const into = memory(200, 12, 12);
    const seen = { dy: new Set<number>(), dx: new Set<number>(), flips: 0 };
    fillTrainingBatch({ set, order: range(200), start: 0, count: 200, seed: 5, epoch: 1, pad: PAD }, into);
    for (let n = 0; n < 200; n++) {
      const found = explain(into.images.subarray(n * 432, (n + 1) * 432), n, 12, 12)!;
      seen.dy.add(found.dy);
      seen.dx.add(found.dx);
      seen.flips += found.flip ? 1 : 0;
    }
    expect([seen.dy.size, seen.dx.size]).toEqual([9, 9]);
    // Five standard deviations of a binomial with n = 200, p = 1/2.
    expect(Math.abs(seen.flips - 100)).toBeLessThan(5 * Math.sqrt(50));
  });

  it('does the same to an example in whatever batch it comes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 }), fc.maxSafeNat(), (batch, seed) => {
        const set = coordinates(10, 6, 6);
        const whole = memory(10, 6, 6);
        const order = range(10).reverse();
        fillTrainingBatch({ set, order, start: 0, count: 10, seed, epoch: 2, pad: PAD }, whole);
        const pieces: number[] = [];
        for (let start = 0; start < 10; start += batch) {
          const count = Math.min(batch, 10 - start);
          const into = memory(batch, 6, 6);
          fillTrainingBatch({ set, order, start, count, seed, epoch: 2, pad: PAD }, into);
          pieces.push(...into.images.subarray(0, count * 108));
        }
        expect(pieces).toEqual([...whole.images]);
      }),
    );
  });

  it('differs from epoch to epoch', () => {
    const set = coordinates(20, 6, 6);
    const fill = (epoch: number) => {
      const into = memory(20, 6, 6);
      fillTrainingBatch({ set, order: range(20), start: 0, count: 20, seed: 1, epoch, pad: PAD }, into);
      return String(into.images);
    };
    expect(fill(1)).not.toBe(fill(2));
    expect(fill(1)).toBe(fill(1));
  });

  it('keeps within its memory for images smaller than the padding', () => {
    const set = coordinates(50, 2, 3);
    const into = memory(50, 2, 3);
    fillTrainingBatch({ set, order: range(50), start: 0, count: 50, seed: 1, epoch: 1, pad: PAD }, into);
    for (let n = 0; n < 50; n++) expect(explain(into.images.subarray(n * 18, (n + 1) * 18), n, 2, 3)).toBeDefined();
  });

  it('refuses a batch that runs past the order', () => {
    const set = coordinates(2, 6, 6);
    const batch = { set, order: range(2), start: 1, count: 2, seed: 0, epoch: 1, pad: PAD };
    expect(() => fillTrainingBatch(batch, memory(2, 6, 6))).toThrow(RangeError);
  });
});

describe('fillEvaluationBatch', () => {
  it('copies images unchanged and clears the rest', () => {
    const set = coordinates(5, 3, 2);
    const into = memory(4, 3, 2);
    expect(fillEvaluationBatch({ set, indices: Uint32Array.of(4, 0, 3), start: 1 }, into)).toBe(2);
    expect([...into.labels]).toEqual([100, 103, 0, 0]);
    expect([...into.images.subarray(0, 18)]).toEqual([...set.images.subarray(0, 18)]);
    expect([...into.images.subarray(18, 36)]).toEqual([...set.images.subarray(54, 72)]);
    expect(into.images.subarray(36).every((byte) => byte === 0)).toBe(true);
  });

  it('gives as many as fit', () => {
    const set = coordinates(5, 3, 2);
    expect(fillEvaluationBatch({ set, indices: range(5), start: 0 }, memory(4, 3, 2))).toBe(4);
    expect(fillEvaluationBatch({ set, indices: range(5), start: 5 }, memory(4, 3, 2))).toBe(0);
  });
});
