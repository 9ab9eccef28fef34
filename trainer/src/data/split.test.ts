import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TrainerError } from '../errors.js';
import { splitTraining } from './split.js';

const setOf = (labels: readonly number[]) => ({
  count: labels.length,
  height: 1,
  width: 1,
  images: new Uint8Array(labels.length * 3),
  labels: Int32Array.from(labels),
});

const labels = fc.array(fc.nat(5), { minLength: 2, maxLength: 300 });
const share = fc.double({ min: 0, max: 0.5, noNaN: true });
const limits = fc.option(fc.integer({ min: 2, max: 400 }));

const countOf = (set: { labels: Int32Array }, indices: Uint32Array, label: number): number =>
  indices.filter((i) => set.labels[i] === label).length;

describe('splitTraining', () => {
  it('gives disjoint ascending indices, exactly as many as asked', () => {
    fc.assert(
      fc.property(labels, limits, share, fc.nat(), (list, limit, valSplit, seed) => {
        const { train, validation } = splitTraining(setOf(list), { limit, valSplit, seed });
        const used = Math.min(limit ?? list.length, list.length);
        expect(validation.length).toBe(valSplit === 0 ? 0 : Math.max(1, Math.round(valSplit * used)));
        expect(train.length + validation.length).toBe(used);
        expect(new Set([...train, ...validation]).size).toBe(used);
        for (const part of [train, validation]) {
          expect([...part]).toEqual([...part].sort((a, b) => a - b));
          expect(part.every((i) => i < list.length)).toBe(true);
        }
      }),
    );
  });

  it('takes every class in proportion, to within one image', () => {
    fc.assert(
      fc.property(labels, share, fc.nat(), (list, valSplit, seed) => {
        const set = setOf(list);
        const { validation } = splitTraining(set, { limit: null, valSplit, seed });
        for (let label = 0; label <= 5; label++) {
          const expected = (validation.length * list.filter((l) => l === label).length) / list.length;
          expect(Math.abs(countOf(set, validation, label) - expected)).toBeLessThan(1);
        }
      }),
    );
  });

  it('keeps the classes balanced under a limit', () => {
    const set = setOf(Array.from({ length: 1000 }, (_, i) => i % 10));
    const { train } = splitTraining(set, { limit: 200, valSplit: 0.1, seed: 3 });
    for (let label = 0; label < 10; label++) expect(countOf(set, train, label)).toBe(18);
  });

  it('depends on the seed alone', () => {
    const set = setOf(Array.from({ length: 100 }, (_, i) => i % 3));
    const choose = (seed: number) => String(splitTraining(set, { limit: 50, valSplit: 0.2, seed }).validation);
    expect(choose(1)).toBe(choose(1));
    expect(choose(1)).not.toBe(choose(2));
  });

  it('uses everything when the limit is above what there is', () => {
    expect(splitTraining(setOf([0, 1, 0, 1]), { limit: 9, valSplit: 0, seed: 0 }).train).toEqual(Uint32Array.of(0, 1, 2, 3));
  });

  it.each([
    { limit: 1, valSplit: 0.1, message: /nothing is left to train on/ },
    { limit: 2, valSplit: 0.9, message: /nothing is left to train on/ },
    { limit: null, valSplit: 1, message: /--val-split 1/ },
    { limit: null, valSplit: -0.1, message: /--val-split/ },
    { limit: null, valSplit: Number.NaN, message: /--val-split/ },
    { limit: 0, valSplit: 0, message: /a limit of 0 images/ },
    { limit: 1.5, valSplit: 0, message: /a limit of 1.5 images/ },
  ])('refuses limit $limit with a validation share of $valSplit', ({ limit, valSplit, message }) => {
    const attempt = () => splitTraining(setOf([0, 1, 0, 1]), { limit, valSplit, seed: 0 });
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(TrainerError);
  });
});
