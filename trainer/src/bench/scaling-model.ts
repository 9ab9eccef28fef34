// How long a step of several ranks takes, by a model with four numbers: infra/decisions/0010-scaling.md. N ranks on P cores, a
// gradient of F floats that crosses in w bytes a float.
//
//   step(1) = c
//   step(N) = c + b (N - 1) + wait * N / min(N, P) + traffic(N) / min(min(N, P) * r, memory)
//   traffic(N) = F ((8 + 2 w) N + w (N + 1))
//
// Every rank packs its gradient (reads 4 F, writes w F) and unpacks the mean (reads w F, writes 4 F); all of them together read
// w F of each rank and write w F once to average. Ranks that share a core take turns.
import type { Wire } from '../allreduce/contract.js';
import { bytesPerFloat } from './allreduce-task.js';

export interface Gradient {
  readonly floats: number;
  readonly wire: Wire;
}

export interface Host {
  readonly cores: number;
  /** GB/s of all cores together; absent: as much as they ask for. */
  readonly memoryGbPerSec?: number;
}

export interface StepModel {
  /** c: a step of one rank, which exchanges nothing. */
  readonly oneRankMs: number;
  /** b: what each further rank costs outside of the exchange: one more that is told to go, and that may be the last. */
  readonly perRankMs: number;
  /** The meetings of an exchange, each rank on its own core. */
  readonly waitMs: number;
  /** r: bytes that one rank moves. */
  readonly rankGbPerSec: number;
}

/** Medians of two ranks, each on its own core. */
export interface TwoRanks {
  readonly stepMs: number;
  /** A rank's own part of the exchange: pack, reduce and unpack. */
  readonly workMs: number;
  /** All of the exchange, of the rank that came last. */
  readonly lastMs: number;
}

/** Four bytes are read and four written by the two copies, whatever the wire. */
const COPIED = 8;

/** Bytes that all ranks read and write together. */
function trafficBytes(ranks: number, { floats, wire }: Gradient): number {
  const width = bytesPerFloat(wire);
  return floats * ((COPIED + 2 * width) * ranks + width * (ranks + 1));
}

/** From the steps of one rank and of two. */
export function fitStepModel(oneRankMs: number, two: TwoRanks, gradient: Gradient): StepModel {
  return {
    oneRankMs,
    // Two noisy medians may stand in the wrong order.
    perRankMs: Math.max(0, two.stepMs - oneRankMs - two.lastMs),
    waitMs: Math.max(0, two.lastMs - two.workMs),
    rankGbPerSec: trafficBytes(2, gradient) / 2 / two.workMs / 1e6,
  };
}

/** Milliseconds of an exchange. */
export function predictExchangeMs(model: StepModel, ranks: number, gradient: Gradient, host: Host): number {
  if (ranks === 1) return 0;
  const busy = Math.min(ranks, host.cores);
  const gbPerSec = Math.min(busy * model.rankGbPerSec, host.memoryGbPerSec ?? Number.POSITIVE_INFINITY);
  return model.waitMs * (ranks / busy) + trafficBytes(ranks, gradient) / gbPerSec / 1e6;
}

/** Milliseconds of a step. */
export const predictStepMs = (model: StepModel, ranks: number, gradient: Gradient, host: Host): number =>
  model.oneRankMs + model.perRankMs * (ranks - 1) + predictExchangeMs(model, ranks, gradient, host);
