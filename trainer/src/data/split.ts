// Which images of a set are used, and which of the training set's are held out to choose the best checkpoint.
import { usageError } from '../errors.js';
import type { ImageSet } from './contract.js';
import { shuffled } from './sampler.js';

export interface SplitOptions {
  /** Use this many images of the set, validation included, as if it had no more; null = all. */
  readonly limit: number | null;
  /** Share of those held out for validation, in [0, 1). Above 0 at least one image is. */
  readonly valSplit: number;
  readonly seed: number;
}

/**
 * Disjoint ascending indices into `set`, with every class in proportion (largest remainders first, so both counts are exact).
 * The choice depends on the labels and `seed` alone.
 *
 * @throws TrainerError (usage) where the options make no sense or leave nothing to train on.
 */
export function splitTraining(
  set: ImageSet,
  { limit, valSplit, seed }: SplitOptions,
): { train: Uint32Array; validation: Uint32Array } {
  if (!(valSplit >= 0 && valSplit < 1)) throw usageError(`--val-split ${valSplit}: give a share from 0 up to, not including, 1`);
  if (limit !== null && !(Number.isInteger(limit) && limit > 0)) {
    throw usageError(`a limit of ${limit} images: give a whole number, 1 or more`);
  }
  const classes = byClass(set.labels).map((indices, label) => shuffled(indices, seed, 'split', label));
  const used = Math.min(limit ?? set.count, set.count);
  const held = valSplit === 0 ? 0 : Math.max(1, Math.round(valSplit * used));
  if (held >= used) {
    throw usageError(
      `${used} training ${used === 1 ? 'image' : 'images'} with ${held} held out for validation: nothing is left to train on; raise --limit-train or lower --val-split`,
    );
  }
  const usedOf = apportion(
    used,
    classes.map((c) => c.length),
  );
  const heldOf = apportion(held, usedOf);
  return {
    validation: ascending(classes.map((c, i) => c.subarray(0, heldOf[i]))),
    train: ascending(classes.map((c, i) => c.subarray(heldOf[i], usedOf[i]))),
  };
}

function byClass(labels: Int32Array): Uint32Array[] {
  const lists: number[][] = [];
  labels.forEach((label, index) => {
    while (lists.length <= label) lists.push([]);
    lists[label]!.push(index);
  });
  return lists.map((list) => Uint32Array.from(list));
}

/** Whole numbers in proportion to `sizes` that add up to `total` (at most the sum of sizes), none above its size. */
function apportion(total: number, sizes: readonly number[]): number[] {
  const sum = sizes.reduce((a, b) => a + b, 0);
  const exact = sizes.map((size) => (total * size) / sum);
  const shares = exact.map(Math.floor);
  const byRemainder = sizes.map((_, i) => i).sort((a, b) => exact[b]! - shares[b]! - (exact[a]! - shares[a]!) || a - b);
  const missing = total - shares.reduce((a, b) => a + b, 0);
  for (const i of byRemainder.slice(0, missing)) shares[i]!++;
  return shares;
}

function ascending(parts: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all.sort();
}
