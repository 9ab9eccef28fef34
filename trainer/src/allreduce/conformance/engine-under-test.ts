// What an exchange engine gives its conformance suite: groups of ranks that run beside each other, and can be ended.
import type { Contribution, ExchangeLayout, ExchangeMemory, ExchangeOptions, Wire } from '../contract.js';

export interface EngineUnderTest {
  readonly name: string;
  open(options: OpenOptions): Promise<GroupUnderTest>;
}

export interface OpenOptions {
  readonly wire: Wire;
  /** One for each rank. */
  readonly layouts: readonly ExchangeLayout[];
}

export interface GroupUnderTest {
  readonly ranks: readonly RankUnderTest[];
  /** From outside, while ranks wait. */
  abort(reason: string): void;
  /** Ends what is left of the group. */
  close(): Promise<void>;
}

export interface ExchangeCall extends ExchangeOptions {
  /** The mean is written over the contribution. */
  readonly inPlace?: boolean;
}

/** A rank's end of the exchange: calls are carried out one after the other, beside those of other ranks. */
export interface RankUnderTest {
  exchange(contribution: Contribution, call: ExchangeCall): Promise<ExchangeMemory>;
  barrier(deadlineMs: number): Promise<void>;
  abort(reason: string): Promise<void>;
  close(): Promise<void>;
  /** Ends it without a word to the others. */
  kill(): Promise<void>;
}
