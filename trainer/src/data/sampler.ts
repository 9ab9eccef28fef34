// The order in which an epoch visits the examples.
import { randomStream } from '../random.js';

/**
 * A permutation of `indices` that depends on seed and epoch (1-based) alone, never on ranks or batch size: whoever cuts it
 * into batches, however many ranks share them, trains on the same images at the same step (Fisher and Yates 1938).
 */
export function epochOrder(indices: Uint32Array, seed: number, epoch: number): Uint32Array {
  return shuffled(indices, seed, 'order', epoch);
}

/** A shuffled copy; the stream of random numbers is named by the seed and labels. */
export function shuffled(indices: Uint32Array, seed: number, ...labels: (string | number)[]): Uint32Array {
  const order = indices.slice();
  const random = randomStream(seed, ...labels);
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const moved = order[i]!;
    order[i] = order[j]!;
    order[j] = moved;
  }
  return order;
}
