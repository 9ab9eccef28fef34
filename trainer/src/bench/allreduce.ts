// `trainer bench allreduce`: milliseconds of an exchange of gradients between the threads of this machine, as text or JSON.
import { MOST_RANKS } from '@trainer/protocol';
import type { BenchAllReduceOptions } from '../cli/contract.js';
import type { Io } from '../cli/io.js';
import { EXIT, type ExitCode, usageError } from '../errors.js';
import { type BenchAllReduceResult, measureAllReduce } from './allreduce-measure.js';

/** Frames of all ranks are held at once, in one WebAssembly memory of at most 4 GiB. */
const MOST_FRAME_BYTES = 3e9;

/** Measures and prints. @throws TrainerError for more than the benchmark can hold */
export async function benchAllReduce(options: BenchAllReduceOptions, io: Io): Promise<ExitCode> {
  const { ranks, floats, quiet, json } = options;
  if (ranks > MOST_RANKS) throw usageError(`--ranks ${ranks} are too many to share a memory: choose at most ${MOST_RANKS}`);
  const most = Math.floor(MOST_FRAME_BYTES / 4 / ranks);
  if (floats > most) throw usageError(`--floats ${floats} of ${ranks} ranks are too many to hold: choose at most ${most}`);
  if (!quiet && !json) io.stderr.write(`exchanging ${floats} floats between ${ranks} ranks, after warm-up\n`);
  const result = await measureAllReduce(options);
  io.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : asText(result));
  return EXIT.ok;
}

const asText = (r: BenchAllReduceResult): string =>
  [
    `${r.ranks} ranks, ${r.floats} floats, ${r.wire} wire: ${r.exchange_ms_median} ms an exchange (best ${r.exchange_ms_best}), median of ${r.rounds}`,
    `of the slowest rank: pack ${r.pack_ms_median} ms, wait ${r.wait_ms_median}, reduce ${r.slice_ms_median}, unpack ${r.unpack_ms_median}`,
    `reduce alone: ${r.reduce_ms_median} ms, ${r.reduce_gb_per_sec} GB/s; copies of the same memory: ${r.copy_gb_per_sec} GB/s`,
    '',
  ].join('\n');
