// Which devices the ranks are on, and the threads that they run in.
import type { RunConfig } from '@trainer/protocol';
import { abortGroup, createGroup, type GroupOptions } from '../allreduce/shared-memory.js';
import { describeCpu, findGpus } from '../runtime/devices.js';
import { findLibrary } from '../runtime/library.js';
import { chooseRanks, type RankPlan } from '../runtime/ranks.js';
import type { Clock } from '../time.js';
import { fakeDeviceOf } from '../worker/fake/options.js';
import type { RankGroup, Teller } from './contract.js';
import { openPool } from './pool.js';
import { Ranks, type RanksOptions } from './ranks.js';

export interface OpenRanksOptions {
  readonly config: Partial<RunConfig>;
  readonly deadline: number | null;
  readonly teller: Teller;
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
}

export interface OpenRanks {
  readonly group: RankGroup;
  close(): Promise<void>;
}

/** @throws TrainerError (environment) where the devices asked for are not there */
export async function openRanks({ config, deadline, teller, clock, env }: OpenRanksOptions): Promise<OpenRanks> {
  const { devices, notices } = await planOf(config, env);
  for (const line of notices) teller.notice(line);
  const ranks = devices.length;
  const fake = fakeDeviceOf(env);
  const shared = { engine: config.engine ?? 'auto', deterministic: config.deterministic ?? false };
  const pool = openPool(
    devices.map((device, rank) => ({ rank, ranks, device: { ...shared, ...device }, ...(fake && { fake }) })),
  );
  const group = new Ranks({
    channels: pool.channels,
    clock,
    deadline,
    connect: connector(ranks, config.wire ?? 'fp32'),
    onLog: (rank, { line, concernsUser }) => {
      if (rank === 0 && concernsUser) teller.notice(line);
      teller.rankLog(rank, line);
    },
  });
  return { group, close: () => pool.close() };
}

/** Statistics of norms are small. */
const NORM_BUCKET_FLOATS = 1024;

/** Makes the groups of a run whose gradients cross so. */
export const connector =
  (ranks: number, wire: RunConfig['wire']): RanksOptions['connect'] =>
  (sides, syncNorms) => {
    const groupsOf = (options: GroupOptions) => Object.fromEntries(sides.map((side) => [side, createGroup(options)]));
    const gradients = groupsOf({ ranks, wire });
    const norms = syncNorms ? groupsOf({ ranks, wire: 'fp32', bucketFloats: NORM_BUCKET_FLOATS }) : {};
    return {
      groups: { gradients, norms },
      abort: (reason) => {
        for (const group of [...Object.values(gradients), ...Object.values(norms)]) abortGroup(group, reason);
      },
    };
  };

async function planOf(config: Partial<RunConfig>, env: NodeJS.ProcessEnv): Promise<RankPlan> {
  const { workers = null, gpus = null, engine = 'auto' } = config;
  const [library, cpu] = await Promise.all([engine === 'wasm' ? undefined : findLibrary(), describeCpu()]);
  // Asked of the system only where it matters: that takes a process.
  const found = gpus !== null || (library && library.variant !== 'cpu') ? await findGpus(env) : [];
  const visible = env['CUDA_VISIBLE_DEVICES'];
  return chooseRanks({ workers, gpus, engine }, { gpus: found, cpu, library: library?.variant, visible });
}
