// One rank of `trainer bench allreduce`: a thread that exchanges a gradient of its own, then averages and copies alone.
import { parentPort, workerData } from 'node:worker_threads';
import type { Contribution, Exchange, ExchangeMemory } from '../allreduce/contract.js';
import { instantiateKernel, type ReduceKernel, TABLE_ENTRY_BYTES } from '../allreduce/kernel.js';
import { BLOCK_FLOATS, sliceOf } from '../allreduce/plan.js';
import { joinGroup } from '../allreduce/shared-memory.js';
import {
  bytesPerFloat,
  FRAMES_AT,
  frameBytes,
  type RankResult,
  type RankTask,
  type Span,
  TABLE_BYTES,
} from './allreduce-task.js';

const WARMUP_ROUNDS = 3;
const DEADLINE_MS = 60_000;
const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

async function rounds<T>(exchange: Exchange, count: number, work: (round: number) => Promise<T> | T): Promise<(Span & T)[]> {
  const spans: (Span & T)[] = [];
  for (let round = -WARMUP_ROUNDS; round < count; round++) {
    await exchange.barrier({ deadlineMs: DEADLINE_MS });
    const began = nowMs();
    const more = await work(round + WARMUP_ROUNDS);
    const ended = nowMs();
    if (round >= 0) spans.push({ ...more, began, ended });
  }
  return spans;
}

async function measure(task: RankTask): Promise<RankResult> {
  const { group, rank, floats, rounds: count } = task;
  const exchange = joinGroup(group, rank, { gradients: [floats], exact: [] });
  const contribution: Contribution = { examples: 1, gradients: [new Float32Array(floats).fill(rank + 1)], exact: [] };
  const mean: ExchangeMemory = { gradients: [new Float32Array(floats)], exact: [] };
  const exchanged = await rounds(exchange, count, (step) =>
    exchange.exchange(contribution, mean, { step, deadlineMs: DEADLINE_MS }),
  );
  const { reduce, copy } = alone(task);
  const reduced = await rounds(exchange, count, reduce);
  const copied = await rounds(exchange, count, copy);
  return { exchange: exchanged, reduce: reduced, copy: copied };
}

/** The kernel over this rank's slice of all frames; and what copying costs: half of this rank's frame over its other half. */
function alone({ group: { ranks, wire, kernel }, rank, floats, frames }: RankTask): Record<'reduce' | 'copy', () => object> {
  const { meanF32, meanBf16 }: ReduceKernel = instantiateKernel(kernel, frames);
  const bytes = frameBytes(wire, floats);
  const { from, blocks } = sliceOf(floats, ranks, rank);
  const offset = from * BLOCK_FLOATS * bytesPerFloat(wire);
  const table = TABLE_BYTES * (1 + rank);
  const view = new DataView(frames.buffer);
  for (let r = 0; r < ranks; r++) {
    view.setUint32(table + r * TABLE_ENTRY_BYTES, FRAMES_AT + r * bytes + offset, true);
    view.setFloat32(table + r * TABLE_ENTRY_BYTES + 4, 1 / ranks, true);
  }
  const own = new Float32Array(frames.buffer, FRAMES_AT + rank * bytes, bytes / 4).fill(1);
  const half = own.length >> 1;
  const mean = wire === 'bf16' ? meanBf16 : meanF32;
  return {
    reduce: () => {
      mean(table, ranks, FRAMES_AT + offset, blocks);
      return {};
    },
    copy: () => {
      own.set(own.subarray(half, 2 * half));
      return {};
    },
  };
}

parentPort!.postMessage(await measure(workerData as RankTask));
