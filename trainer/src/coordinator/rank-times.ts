// Where ranks spent their steps, averaged over the steps between two records: a straggler shows whenever it lags.
import type { Side } from '@trainer/protocol';
import type { RankTimes } from '../worker/rank-protocol.js';

type Sum = { -readonly [K in keyof RankTimes]: number };

interface Sums {
  /** By rank. */
  readonly ranks: Sum[];
  steps: number;
}

export class RankTimeMeans {
  readonly #sums = new Map<Side, Sums>();

  /** @param times of one step, by rank */
  add(side: Side, times: readonly RankTimes[]): void {
    const sums: Sums = this.#sums.get(side) ?? { ranks: times.map((): Sum => ({ computeMs: 0 })), steps: 0 };
    sums.steps++;
    times.forEach((of, rank) => {
      const sum = sums.ranks[rank]!;
      for (const [part, ms] of Object.entries(of) as [keyof RankTimes, number][]) sum[part] = (sum[part] ?? 0) + ms;
    });
    this.#sums.set(side, sums);
  }

  /** Means of a step by rank, over the steps since they were last taken. */
  take(side: Side): RankTimes[] {
    const { ranks, steps } = this.#sums.get(side) ?? { ranks: [], steps: 1 };
    this.#sums.delete(side);
    return ranks.map(
      (sum) => Object.fromEntries(Object.entries(sum).map(([part, ms]) => [part, ms / steps])) as unknown as RankTimes,
    );
  }
}
