// The exchange contract: what turns every rank's own gradient into the mean that all of them apply. The first engine works in
// memory that the worker threads of one process share; others (across machines, on the GPUs' own links) can stand in for it.

/** How a gradient crosses between ranks. Sums are float32 whatever the wire. */
export type Wire = 'fp32' | 'bf16';

/** What is exchanged, agreed on before the first exchange: number of float32 elements of each array, in order. */
export interface ExchangeLayout {
  /** May cross as bfloat16. */
  readonly gradients: readonly number[];
  /** Crosses as float32 whatever the wire: losses, counts, batch statistics. */
  readonly exact: readonly number[];
}

/** Float32 memory by array, lengths as in the layout. */
export interface ExchangeMemory {
  readonly gradients: readonly Float32Array[];
  readonly exact: readonly Float32Array[];
}

export interface Contribution extends ExchangeMemory {
  /** Examples that these means are over: the weight of this rank. 0: its memory is not looked at. */
  readonly examples: number;
}

export interface ExchangeOptions {
  /** Completed steps before this one: all ranks must be at the same. */
  readonly step: number;
  /** Milliseconds that each wait for the slowest rank may take (there is one for each piece); after that all ranks fail together. */
  readonly deadlineMs: number;
}

/** Milliseconds of this rank's part. */
export interface ExchangeTimes {
  /** Copying (and rounding) its contribution to where others see it. */
  readonly packMs: number;
  /** Waiting for other ranks. */
  readonly waitMs: number;
  /** Averaging its slice over all ranks. */
  readonly reduceMs: number;
  /** Copying the mean to where it is applied from. */
  readonly unpackMs: number;
}

/**
 * One rank's end of a group of ranks. Every rank calls the same methods in the same order.
 *
 * @example
 * // Two ranks with 3 and 1 examples: both get (3 * 1 + 1 * 5) / 4 = 2, the same bits on both.
 * await exchange.exchange({ gradients: [Float32Array.of(rank === 0 ? 1 : 5)], exact: [], examples: rank === 0 ? 3 : 1 },
 *   { gradients: [mean], exact: [] }, { step: 0, deadlineMs: 15_000 });
 */
export interface Exchange {
  readonly rank: number;
  readonly ranks: number;
  /**
   * Writes the mean over all ranks, weighted by examples, into `into` (whose arrays may be those of the contribution): the same
   * bits on every rank, whatever the timing. Summed in rank order, so that a repeated run gives them again.
   * @throws ExchangeAborted where a rank is late, at another step, has another layout, or called `abort`
   */
  exchange(contribution: Contribution, into: ExchangeMemory, options: ExchangeOptions): Promise<ExchangeTimes>;
  /** Resolves once all ranks have called it. @throws ExchangeAborted as `exchange` */
  barrier(options: Pick<ExchangeOptions, 'deadlineMs'>): Promise<void>;
  /** Makes the exchange under way and all later ones of every rank fail, with this reason. Callable by any thread that has the group. */
  abort(reason: string): void;
  /** This rank takes no further part. Idempotent. */
  close(): void;
}

/** Why no exchange is possible any longer, the same on all ranks. */
export class ExchangeAborted extends Error {
  override readonly name = 'ExchangeAborted';
}
