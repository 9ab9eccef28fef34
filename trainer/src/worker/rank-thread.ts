// What a worker thread of the pool runs: one rank, from its first request to the one that closes it.
import type { MessagePort } from 'node:worker_threads';
import { joinGroup } from '../allreduce/shared-memory.js';
import type { Channel } from '../link/channel.js';
import { portChannel } from '../link/port.js';
import { answerRequests, type ReplyMessage, type RequestMessage } from '../link/requests.js';
import type { Device } from './device.js';
import { type FakeDeviceOptions, openFakeDevice } from './fake/fake-device.js';
import { Rank } from './rank.js';
import type { RankBody, RankLog } from './rank-protocol.js';
import type { SessionDeviceOptions } from './session-device.js';

export interface RankTask {
  readonly port: MessagePort;
  readonly rank: number;
  readonly ranks: number;
  readonly device: Omit<SessionDeviceOptions, 'onNotice'>;
  /** Instead of a device: one that computes nothing much, and fails as told. */
  readonly fake?: FakeDeviceOptions;
}

/** Resolves once the rank was closed. */
export default async function runRank(task: RankTask): Promise<void> {
  const channel: Channel<ReplyMessage<unknown> | RankLog, RequestMessage<RankBody>> = portChannel(task.port);
  const log = (line: string, concernsUser = false): void =>
    void channel.send({ type: 'log', line, concernsUser }).catch(() => undefined);
  const seen = new Set<RankBody['call']>();
  const openDevice = () => deviceOf(task, (line) => log(line, true));
  const rank = new Rank({ rank: task.rank, ranks: task.ranks, openDevice, join: joinGroup });
  answerRequests<RankBody, unknown>(channel, (body) =>
    logged(body, { handle: () => rank.handle(body.call, body.request), log, seen }),
  );
  await channel.closed;
  rank.close();
}

async function deviceOf({ fake, device, rank }: RankTask, onNotice: (line: string) => void): Promise<Device> {
  if (fake) return openFakeDevice(fake, rank);
  // Loaded here, so that a fake device starts fast.
  const { openSessionDevice } = await import('./session-device.js');
  return openSessionDevice({ ...device, onNotice });
}

interface Logged<T> {
  readonly handle: () => Promise<T>;
  readonly log: (line: string) => void;
  /** Frequent calls that were logged. */
  readonly seen: Set<RankBody['call']>;
}

/** Calls that come with every step are logged the first time, which compiles, and when they fail. */
async function logged<T>({ call }: RankBody, { handle, log, seen }: Logged<T>): Promise<T> {
  const began = performance.now();
  const took = (): string => `${call}: ${(performance.now() - began).toFixed(0)} ms`;
  try {
    const reply = await handle();
    if (!seen.has(call)) log(took());
    if (FREQUENT.has(call)) seen.add(call);
    return reply;
  } catch (error) {
    log(`${took()}, then failed: ${(error as Error).stack ?? error}`);
    throw error;
  }
}

const FREQUENT: ReadonlySet<RankBody['call']> = new Set(['step', 'score', 'snapshot', 'digest']);
