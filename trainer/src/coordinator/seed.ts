// One seed of a run: its folder, its training, its summary.
import { basename, dirname } from 'node:path';
import type { FinishedRun, RunConfig, RunSummary, TrainingState } from '@trainer/protocol';
import { usageError } from '../errors.js';
import type { ResumableRun } from '../report/contract.js';
import { RUN_FILES } from '../report/run-files.js';
import type { Clock } from '../time.js';
import { Plan } from '../worker/plan.js';
import type { Teller } from './contract.js';
import type { Controls } from './controls.js';
import type { RunFiles } from './files.js';
import { chooseImages, type Images, type Prepared } from './prepare.js';
import type { Asked } from './start.js';
import { summarize } from './summary.js';
import type { Surroundings } from './surroundings.js';
import { type TrainResult, train } from './training.js';
import { type FirstWeights, firstWeights } from './weights.js';

export interface SeedContext {
  readonly asked: Asked;
  readonly config: RunConfig;
  readonly prepared: Prepared;
  readonly resumed: ResumableRun | undefined;
  readonly teller: Teller;
  readonly files: RunFiles;
  readonly controls: Controls;
  readonly clock: Clock;
  readonly surroundings: Pick<Surroundings, 'openCheckpoints' | 'openCommits'>;
}

/** @throws TrainerError (environment) where the disk fails; what was saved before stays. */
export async function trainSeed(context: SeedContext): Promise<FinishedRun> {
  const { prepared, config, resumed } = context;
  const { dataset, group, models, given } = prepared;
  if (resumed && resumed.checkpoint.state.dataHash !== dataset.hash)
    throw usageError(`${resumed.path} was trained on other images than ${dataset.name} (${dataset.origin}): give its --data`);
  const images = chooseImages(config, dataset, group.ranks);
  const weights = firstWeights({ models, config, given, resumed });
  await group.place({ config, ...images, models: weights.models, source: weights.source });
  const path = await openFolder(context, weights.hashes);
  return await trainInto(path, context, images);
}

function openFolder({ files, asked, prepared, config, resumed }: SeedContext, initHash: FirstWeights['hashes']): Promise<string> {
  if (resumed) return files.reopen({ path: resumed.path, config, step: resumed.checkpoint.state.step });
  const { run, commandLine } = asked;
  const { dataset, devices } = prepared;
  const name = run.name !== null && run.seeds > 1 ? `${run.name}-seed${config.seed}` : run.name;
  return files.create({
    name,
    config,
    metadata: {
      commandLine: [...commandLine],
      engine: devices[0]!.engine,
      library: devices[0]!.library,
      devices: devices.map(({ device }) => device),
      seeds: [config.seed],
      dataset: { name: dataset.name, origin: dataset.origin, hash: dataset.hash },
      initHash,
      tags: [...run.tags],
      notes: run.notes ?? '',
    },
  });
}

async function trainInto(path: string, context: SeedContext, { split }: Images): Promise<FinishedRun> {
  const { prepared, config, resumed, teller, files, controls, clock, asked, surroundings } = context;
  const { dataset, devices, group, models } = prepared;
  const plan = new Plan(split.train.length, config);
  const [checkpoints, commits] = await Promise.all([
    surroundings.openCheckpoints({ runPath: path, keep: config.keep }),
    surroundings.openCommits({ runPath: path }),
  ]);
  // Commits go as newer ones come, and do not survive a loss of power.
  const isCheckpoint = resumed !== undefined && basename(dirname(resumed.checkpointPath)) === RUN_FILES.checkpoints;
  let checkpointPath = isCheckpoint ? resumed.checkpointPath : null;
  const summaryOf = (state: TrainingState, status: RunSummary['status']): RunSummary => {
    const { stepsPerEpoch } = plan;
    return summarize({ state, status, config, models, stepsPerEpoch, engine: devices[0]!.library, dataset: dataset.name });
  };
  await files.summarize(summaryOf(resumed?.checkpoint.state ?? beginning(dataset.hash, group.ranks), 'running'));
  teller.notice(
    `run ${path}: ${plan.epochs} epochs of ${plan.stepsPerEpoch} steps, ${split.train.length} images to train, ${split.validation.length} to validate, ${split.test.length} to test`,
  );
  const result = await train({
    config,
    plan,
    models,
    images: { validation: split.validation.length, test: split.test.length },
    dataHash: dataset.hash,
    group,
    resume: resumed?.checkpoint.state,
    isSaved: isCheckpoint,
    teller,
    controls,
    clock,
    commitEverySeconds: asked.run.commitEvery,
    checkpoint: async (checkpoint, options) => {
      // A checkpoint that survives a loss of power finds its metrics there too.
      await files.sync();
      checkpointPath = await checkpoints.save(checkpoint, options);
      return checkpointPath;
    },
    commit: async (checkpoint) => {
      // What goes on from it after the end of all processes finds its metrics.
      await files.flush();
      return await commits.save(checkpoint);
    },
  });
  const summary = summaryOf(result.state, result.status);
  teller.notice(shares(result));
  if (result.reason && result.status === 'finished') teller.notice(`ended early: ${result.reason}`);
  const { status, reason = null } = result;
  const finished: FinishedRun = { status, reason, summary, config, steps: plan.steps, path, checkpointPath };
  await files.finish(finished);
  return finished;
}

const beginning = (dataHash: string, ranks: number): TrainingState => ({
  version: 1,
  step: 0,
  epoch: 1,
  stepInEpoch: 0,
  seconds: 0,
  dataHash,
  lrFactor: 1,
  ranks,
  models: {},
});

/** Where the time went. */
function shares({ seconds, input }: TrainResult): string {
  // Ranks' clocks are not one: their longest parts may add up to a little more than the whole.
  const share = (part: number): string => `${Math.min(100, (100 * part) / Math.max(seconds.training, 1e-9)).toFixed(1)}%`;
  return (
    `training ${seconds.training.toFixed(1)} s (${share(seconds.steps)} of it steps; batches were made in ${share(input.fillMs / 1000)}, ` +
    `waited for in at most ${share(input.waitMs / 1000)}), validation ${seconds.validation.toFixed(1)} s, checkpoints ${seconds.checkpoint.toFixed(1)} s`
  );
}
