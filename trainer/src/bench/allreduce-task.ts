// What `trainer bench allreduce` tells its threads and hears from them, and where in their memory frames lie.
import type { ExchangeTimes, Wire } from '../allreduce/contract.js';
import { BLOCK_FLOATS, blocksOf } from '../allreduce/plan.js';
import type { ExchangeGroup } from '../allreduce/shared-memory.js';

export interface RankTask {
  readonly group: ExchangeGroup;
  readonly rank: number;
  readonly floats: number;
  readonly rounds: number;
  /** A whole frame of each rank, for the kernel alone: too large for any cache where the gradient is. */
  readonly frames: WebAssembly.Memory;
}

/** When a rank began and ended, in milliseconds of a clock that all threads share. */
export interface Span {
  readonly began: number;
  readonly ended: number;
}

/** By round. */
export interface RankResult {
  readonly exchange: readonly (Span & ExchangeTimes)[];
  readonly reduce: readonly Span[];
  readonly copy: readonly Span[];
}

/** The first page of the memory of frames holds a table for each rank. */
export const FRAMES_AT = 65_536;
export const TABLE_BYTES = 1024;

export const bytesPerFloat = (wire: Wire): number => (wire === 'bf16' ? 2 : 4);
export const frameBytes = (wire: Wire, floats: number): number => blocksOf(floats) * BLOCK_FLOATS * bytesPerFloat(wire);

/** Bytes of memory for frames of all ranks. */
export const framesBytes = (wire: Wire, floats: number, ranks: number): number => FRAMES_AT + ranks * frameBytes(wire, floats);
