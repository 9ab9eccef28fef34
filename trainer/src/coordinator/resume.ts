// The run to go on with: the one asked for, with what was said anew, or the one that a coordinator before this one left.
import type { RunConfig, Start } from '@trainer/protocol';
import { usageError } from '../errors.js';
import type { ResumableRun } from '../report/contract.js';
import { type Origins, refuseInconsistency } from '../settings/complete.js';
import { nameOf } from '../settings/options.js';
import type { Teller } from './contract.js';
import type { Surroundings } from './surroundings.js';

/** What may be said anew when a run goes on: it changes no number of the run beyond rounding, or only where it ends. */
const FREE_ON_RESUME: ReadonlySet<string> = new Set([
  'data',
  'engine',
  'maxTime',
  'targetAcc',
  'keep',
  'checkpointEvery',
  'workers',
  'gpus',
]);

/** @throws TrainerError: nothing to go on with, or settings that contradict the run's */
export async function findRun(
  start: Start,
  teller: Teller,
  { findResumable }: Pick<Surroundings, 'findResumable'>,
): Promise<ResumableRun | undefined> {
  const { restart, run } = start;
  const which = restart?.path ?? run.resume;
  if (which === null) return undefined;
  const found = await findResumable(run.out, which, (line) => teller.notice(line));
  teller.notice(`going on with ${found.path} after step ${found.checkpoint.state.step}, from ${found.checkpointPath}`);
  // What was said when the run began, or went on, is in its own configuration by now.
  return restart ? found : withAnew(found, start);
}

function withAnew(found: ResumableRun, { config, origins }: Start): ResumableRun {
  for (const [field, value] of Object.entries(config)) {
    const kept = found.config[field as keyof RunConfig];
    if (!FREE_ON_RESUME.has(field) && JSON.stringify(kept) !== JSON.stringify(value))
      throw usageError(
        `${nameOf(field)} ${JSON.stringify(value)} (${origins[field]}): the run to go on with has ${JSON.stringify(kept)}; leave it out, or start a new run`,
      );
  }
  const devices = config.workers !== undefined || config.gpus !== undefined ? { workers: null, gpus: null } : {};
  const merged = { ...found.config, ...devices, ...config };
  refuseInconsistency({ config: merged, origins: { ...savedOrigins(merged), ...origins } });
  return { ...found, config: merged };
}

const savedOrigins = (config: RunConfig): Origins =>
  Object.fromEntries(Object.keys(config).map((field) => [field, "the run's config.yaml"])) as Origins;
