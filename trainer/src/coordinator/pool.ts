// The worker threads: one of the pool's for each rank, with one task that lasts as long as the run.
import { setTimeout } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { CloseReason } from '../link/channel.js';
import { portChannel } from '../link/port.js';
import type { RankTask } from '../worker/rank-thread.js';
import type { RankChannel } from './ranks.js';

export interface Pool {
  /** By rank. */
  readonly channels: readonly RankChannel[];
  /** Resolves once all threads have ended, or after a while: one that is stuck in native code ends with its process alone. */
  close(): Promise<void>;
}

/** How long threads may take to end. */
const END_MS = 1000;

/** The same path from the sources and from what is compiled: threads do not load the sources. */
const RANK_THREAD = new URL('../../dist/worker/rank-thread.js', import.meta.url).href;

/** @param tasks by rank */
export function openPool(tasks: readonly Omit<RankTask, 'port'>[]): Pool {
  const piscina = new Piscina({
    filename: RANK_THREAD,
    minThreads: tasks.length,
    maxThreads: tasks.length,
    concurrentTasksPerWorker: 1,
    // A rank's thread waits for messages, not for further tasks.
    atomics: 'disabled',
  });
  const channels = tasks.map((task): RankChannel => {
    const { port1, port2 } = new MessageChannel();
    const why = piscina.run({ ...task, port: port2 } satisfies RankTask, { transferList: [port2] }).then(
      () => 'its work was over',
      (error: Error) => {
        // A thread that could not begin holds its port.
        port1.close();
        return error.message;
      },
    );
    const channel: RankChannel = portChannel(port1);
    // A thread that ends takes its port with it, which is how the rest learns of it; the pool knows why.
    const closed = channel.closed.then(
      async (reason): Promise<CloseReason> => (reason.by === 'peer' ? { by: 'error', message: await why } : reason),
    );
    return { ...channel, closed };
  });
  return { channels, close: () => Promise.race([piscina.destroy(), setTimeout(END_MS, undefined, { ref: false })]) };
}
