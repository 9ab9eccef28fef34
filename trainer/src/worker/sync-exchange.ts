// What batch norms of all ranks say to each other in the middle of a step, by an exchange of their own.
import type { Exchange, ExchangeLayout, ExchangeOptions } from '../allreduce/contract.js';

/** Replaces the values, a rank's means over so many examples, by the mean over all ranks. May return before it has. */
export type SyncExchange = (values: Float32Array, examples: number) => void | Promise<void>;

/** Exchanges of at most so many channels' values, in one layout: shorter ones leave the rest of the array as it is. */
export const syncLayout = (channels: number): ExchangeLayout => ({ gradients: [], exact: [2 * channels] });

/**
 * By a group that was made for `syncLayout`, and that all ranks use for nothing else. The result serves one step: its options say
 * which.
 */
export function syncExchangeBy(
  exchange: Pick<Exchange, 'exchange'>,
  { exact: [length] }: ExchangeLayout,
): (options: ExchangeOptions) => SyncExchange {
  const memory = { gradients: [], exact: [new Float32Array(length!)] } as const;
  const [array] = memory.exact;
  return (options) => async (values, examples) => {
    array.set(values);
    await exchange.exchange({ ...memory, examples }, memory, options);
    values.set(array.subarray(0, values.length));
  };
}
