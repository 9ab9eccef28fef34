// How fast ranks exchange a gradient, end to end, and how fast the kernel and the memory are by themselves.
import { Worker } from 'node:worker_threads';
import type { ExchangeTimes, Wire } from '../allreduce/contract.js';
import { createGroup } from '../allreduce/shared-memory.js';
import { bytesPerFloat, framesBytes, type RankResult, type RankTask, type Span } from './allreduce-task.js';
import { medianOf, round } from './median.js';

export interface AllReduceOptions {
  readonly ranks: number;
  readonly floats: number;
  readonly wire: Wire;
}

/** What `trainer bench allreduce --json` prints. */
export interface BenchAllReduceResult {
  /** From each rank's own gradient to the mean in memory of its own, until the last rank has it. */
  readonly exchange_ms_median: number;
  readonly exchange_ms_best: number;
  /** The kernel alone: frames of all ranks, each as long as the gradient, averaged in place, each rank its slice. */
  readonly reduce_ms_median: number;
  readonly ranks: number;
  readonly floats: number;
  readonly wire: Wire;
  /** Bytes read and written by all ranks together: by the kernel alone, and by copies of the same memory. */
  readonly reduce_gb_per_sec: number;
  readonly copy_gb_per_sec: number;
  /** Parts of the exchange, of the rank that took longest for each. */
  readonly pack_ms_median: number;
  readonly wait_ms_median: number;
  readonly slice_ms_median: number;
  readonly unpack_ms_median: number;
  readonly rounds: number;
}

/** The same path from the sources and from what is compiled: threads do not load the sources. */
const THREAD = new URL('../../dist/bench/allreduce-rank.js', import.meta.url);
/** About a second for a large gradient. */
const rounds = (floats: number): number => (floats > 4e6 ? 31 : 201);
const PAGE_BYTES = 65_536;

export async function measureAllReduce({ ranks, floats, wire }: AllReduceOptions): Promise<BenchAllReduceResult> {
  const pages = Math.ceil(framesBytes(wire, floats, ranks) / PAGE_BYTES);
  const frames = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const group = createGroup({ ranks, wire });
  const results = await Promise.all(
    Array.from({ length: ranks }, (_, rank) => runRank({ group, rank, floats, rounds: rounds(floats), frames })),
  );
  const exchange = durationsOf(results.map((result) => result.exchange));
  const reduceMs = medianOf(durationsOf(results.map(({ reduce }) => reduce)));
  const copyMs = medianOf(durationsOf(results.map(({ copy }) => copy)));
  const frameBytes = floats * bytesPerFloat(wire);
  return {
    exchange_ms_median: round(medianOf(exchange), 3),
    exchange_ms_best: round(Math.min(...exchange), 3),
    reduce_ms_median: round(reduceMs, 3),
    ranks,
    floats,
    wire,
    reduce_gb_per_sec: round(((ranks + 1) * frameBytes) / reduceMs / 1e6, 1),
    // Half a frame is read, and half is written, by each.
    copy_gb_per_sec: round((ranks * frameBytes) / copyMs / 1e6, 1),
    pack_ms_median: slowest(results, 'packMs'),
    wait_ms_median: slowest(results, 'waitMs'),
    slice_ms_median: slowest(results, 'reduceMs'),
    unpack_ms_median: slowest(results, 'unpackMs'),
    rounds: rounds(floats),
  };
}

function runRank(task: RankTask): Promise<RankResult> {
  const thread = new Worker(THREAD, { workerData: task });
  return new Promise((resolve, reject) => {
    thread.on('message', resolve);
    thread.on('error', reject);
  });
}

/** By round: from the first rank's beginning to the last one's end. */
const durationsOf = (spans: readonly (readonly Span[])[]): number[] =>
  spans[0]!.map(
    (_, i) => Math.max(...spans.map((ofRank) => ofRank[i]!.ended)) - Math.min(...spans.map((ofRank) => ofRank[i]!.began)),
  );

const slowest = (results: readonly RankResult[], part: keyof ExchangeTimes): number =>
  round(medianOf(results[0]!.exchange.map((_, i) => Math.max(...results.map(({ exchange }) => exchange[i]![part])))), 3);
