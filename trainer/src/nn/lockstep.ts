// Ranks without threads, for tests: steps that exchange in their middle are begun again and again, each time one exchange further;
// or they run asynchronously and meet.
import type { OnExchange } from '../jit/contract.js';

/** What a rank is stopped by, once it has said what it sends. */
const HEARD = new Error('heard');

/**
 * Runs each rank's step with the answers that a group gives: the mean over ranks, weighted by their examples, summed in rank
 * order. Steps must be repeatable; the results are those of their last, whole run, and `lengths` is what they exchanged.
 */
export function inLockstep<T>(
  ranks: readonly ((onExchange: OnExchange) => T)[],
  examples: readonly number[],
): { readonly results: T[]; readonly lengths: readonly number[] } {
  const answers: Float32Array[] = [];
  for (;;) {
    const attempts = ranks.map((step) => attempt(step, answers));
    const results = attempts.filter((a) => 'result' in a);
    if (results.length === ranks.length) return { results: results.map((r) => r.result), lengths: answers.map((a) => a.length) };
    if (results.length > 0) throw new Error('some ranks exchange more often than others');
    answers.push(
      weightedMean(
        attempts.map((a) => ('sent' in a ? a.sent : new Float32Array())),
        examples,
      ),
    );
  }
}

function attempt<T>(
  step: (onExchange: OnExchange) => T,
  answers: readonly Float32Array[],
): { readonly result: T } | { readonly sent: Float32Array } {
  let sent = new Float32Array();
  try {
    const result = step((values, index) => {
      const answer = answers[index];
      if (answer) return values.set(answer);
      sent = values.slice();
      throw HEARD;
    });
    return { result };
  } catch (error) {
    if (error !== HEARD) throw error;
    return { sent };
  }
}

/** As a group of ranks computes it; all arrays have one length. */
function weightedMean(arrays: readonly Float32Array[], weights: readonly number[]): Float32Array {
  const total = weights.reduce((sum, w) => sum + w, 0);
  return Float32Array.from(arrays[0]!, (_, i) =>
    arrays.reduce((sum, array, rank) => sum + array[i]! * (weights[rank]! / total), 0),
  );
}

/** Where ranks that run asynchronously in one thread wait for each other and take the mean, weighted by what each brings. */
export function meetingPlace(ranks: number): (rank: number, values: Float32Array, examples: number) => Promise<void> {
  let round = fresh();
  return async (rank, values, examples) => {
    const { sent, weights, mean, arrived } = round;
    sent[rank] = values.slice();
    weights[rank] = examples;
    if (Object.keys(sent).length === ranks) {
      round = fresh();
      arrived(weightedMean(sent, weights));
    }
    values.set(await mean);
  };
}

function fresh() {
  let arrived: (mean: Float32Array) => void = () => {};
  const mean = new Promise<Float32Array>((resolve) => {
    arrived = resolve;
  });
  return { sent: [] as Float32Array[], weights: [] as number[], mean, arrived };
}
