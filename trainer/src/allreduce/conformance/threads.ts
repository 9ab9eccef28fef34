// Threads that serve the suite's groups as ranks, one group after the other: starting one takes longer than most tests.
import { Worker } from 'node:worker_threads';
import { ExchangeAborted, type ExchangeMemory } from '../contract.js';
import { abortGroup, createGroup, type ExchangeGroup } from '../shared-memory.js';
import type { EngineUnderTest, GroupUnderTest, OpenOptions, RankUnderTest } from './engine-under-test.js';
import type { RankReply, RankRequest } from './rank-thread.js';

/** Compiled: threads do not load the sources. The same path from the sources and from what is compiled. */
const THREAD = new URL('../../../dist/allreduce/conformance/rank-thread.js', import.meta.url);

class RankThread implements RankUnderTest {
  readonly #worker = new Worker(THREAD);
  readonly #waiting: ((reply: RankReply) => void)[] = [];
  alive = true;

  constructor() {
    this.#worker.on('message', (reply: RankReply) => this.#waiting.shift()?.(reply));
    this.#worker.on('error', ({ name, message }: Error) => {
      for (const settle of this.#waiting.splice(0)) settle({ error: { name, message } });
    });
  }

  async ask(request: RankRequest): Promise<ExchangeMemory | undefined> {
    const reply = await new Promise<RankReply>((resolve) => {
      this.#waiting.push(resolve);
      this.#worker.postMessage(request);
    });
    if (!('error' in reply)) return reply.mean;
    const { name, message } = reply.error;
    throw name === 'ExchangeAborted' ? new ExchangeAborted(message) : Object.assign(new Error(message), { name });
  }

  exchange: RankUnderTest['exchange'] = async (contribution, call) => (await this.ask({ do: 'exchange', contribution, call }))!;
  barrier: RankUnderTest['barrier'] = async (deadlineMs) => void (await this.ask({ do: 'barrier', deadlineMs }));
  abort: RankUnderTest['abort'] = async (reason) => void (await this.ask({ do: 'abort', reason }));
  close: RankUnderTest['close'] = async () => void (await this.ask({ do: 'close' }));

  async kill(): Promise<void> {
    this.alive = false;
    await this.#worker.terminate();
  }
}

/** @param bucketFloats small, so that short arrays go through many buckets */
export function threadedEngine(bucketFloats: number): EngineUnderTest & {
  /** As the suite opens them, and what the threads share. */
  openGroup(options: OpenOptions): Promise<GroupUnderTest & { readonly group: ExchangeGroup }>;
  stop(): Promise<void>;
} {
  const idle: RankThread[] = [];
  async function openGroup({ wire, layouts }: OpenOptions) {
    const group = createGroup({ ranks: layouts.length, wire, bucketFloats });
    const ranks = layouts.map(() => idle.pop() ?? new RankThread());
    await Promise.all(ranks.map((thread, rank) => thread.ask({ do: 'join', group, rank, layout: layouts[rank]! })));
    let open = true;
    const close = async (): Promise<void> => {
      abortGroup(group, 'the test is over');
      if (open) idle.push(...ranks.filter(({ alive }) => alive));
      open = false;
    };
    return { group, ranks, abort: (reason: string) => abortGroup(group, reason), close };
  }
  const stop = async (): Promise<void> => void (await Promise.all(idle.map((thread) => thread.kill())));
  return { name: `shared memory, buckets of ${bucketFloats} floats`, open: openGroup, openGroup, stop };
}
