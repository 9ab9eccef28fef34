// One seed of `trainer start`: its run folder, its training, its summary.
import type { RunConfig, RunSummary, TrainingState } from '@trainer/protocol';
import { usageError } from '../errors.js';
import type { ResumableRun, RunFolder } from '../report/contract.js';
import { createRun, reopenRun } from '../report/run-folder.js';
import type { StartOptions } from '../settings/contract.js';
import { initialValues } from '../worker/pair.js';
import { Plan } from '../worker/plan.js';
import { hashOfValues, resetLearner, restoreSnapshot } from '../worker/snapshot.js';
import { summarize } from '../worker/summary.js';
import { type TrainResult, train } from '../worker/train.js';
import { chooseImages, type Images, type Prepared } from './start-prepare.js';
import type { Reporter } from './terminal.js';

export interface SeedContext {
  readonly options: StartOptions;
  readonly config: RunConfig;
  readonly prepared: Prepared;
  readonly resumed: ResumableRun | undefined;
  readonly reporter: Reporter;
  readonly stop: AbortSignal;
  readonly checkpointAsked: () => boolean;
}

/** How a seed's training ended. */
export interface Finished {
  readonly result: TrainResult;
  readonly summary: RunSummary;
  readonly config: RunConfig;
  /** Steps that the whole run has. */
  readonly steps: number;
  /** The run folder. */
  readonly path: string;
  /** The newest checkpoint, if one was written. */
  readonly checkpointPath: string | undefined;
}

/** @throws TrainerError (environment) where the disk fails; what was saved before stays. */
export async function trainSeed(context: SeedContext): Promise<Finished> {
  const images = chooseImages(context.config, context.prepared.dataset);
  const initHash = placeWeights(context, images);
  const folder = await openFolder(context, initHash);
  try {
    return await trainInto(folder, context, images);
  } finally {
    await folder.close();
  }
}

/** First values, or those of the checkpoint to go on from. Returns the hash of the first values by side. */
function placeWeights({ prepared, config, resumed }: SeedContext, { pixels }: Images): Record<string, string> {
  const { learners, engine, dataset, given } = prepared;
  if (resumed && resumed.checkpoint.state.dataHash !== dataset.hash)
    throw usageError(`${resumed.path} was trained on other images than ${dataset.name} (${dataset.origin}): give its --data`);
  const hashes: Record<string, string> = {};
  for (const learner of learners) {
    const { side } = learner.model;
    const initial = initialValues(learner.model, config.seed, given);
    hashes[side] = hashOfValues(initial);
    learner.setPixels(pixels);
    const snapshot = resumed?.checkpoint.models[side];
    if (resumed && !snapshot) throw usageError(`${resumed.checkpointPath} has no ${side} model`);
    if (snapshot) restoreSnapshot(engine.session, learner, snapshot, resumed!.checkpointPath);
    else resetLearner(engine.session, learner, initial);
  }
  return hashes;
}

function openFolder(
  { options: { run }, prepared, config, resumed }: SeedContext,
  initHash: Record<string, string>,
): Promise<RunFolder> {
  if (resumed) return reopenRun(resumed);
  const { dataset, engine } = prepared;
  const name = run.name !== null && run.seeds > 1 ? `${run.name}-seed${config.seed}` : run.name;
  return createRun({
    out: run.out,
    ...(name !== null && { name }),
    config,
    metadata: {
      commandLine: process.argv.slice(2),
      engine: engine.session.engine,
      library: engine.library,
      devices: [engine.device],
      seeds: [config.seed],
      dataset: { name: dataset.name, origin: dataset.origin, hash: dataset.hash },
      initHash,
      tags: run.tags,
      notes: run.notes ?? '',
    },
  });
}

async function trainInto(folder: RunFolder, context: SeedContext, { split, pixels }: Images): Promise<Finished> {
  const { prepared, config, resumed, reporter, stop, checkpointAsked } = context;
  const { dataset, engine, learners, models } = prepared;
  const plan = new Plan(split.train.length, config);
  let checkpointPath = resumed?.checkpointPath;
  const summaryOf = (state: TrainingState, status: RunSummary['status']): RunSummary =>
    summarize({
      state,
      status,
      config,
      models,
      stepsPerEpoch: plan.stepsPerEpoch,
      engine: engine.library,
      dataset: dataset.name,
    });
  const before = resumed?.checkpoint.state ?? beginning(dataset.hash);
  await folder.summarize(summaryOf(before, 'running'));
  const forget = reporter.onLine((line) => folder.log(line));
  reporter.notice(
    `run ${folder.path}: ${plan.epochs} epochs of ${plan.stepsPerEpoch} steps, ${split.train.length} images to train, ${split.validation.length} to validate, ${split.test.length} to test`,
  );
  try {
    const result = await train({
      config,
      plan,
      dataset,
      split,
      pad: pixels.mean.map(Math.round) as [number, number, number],
      session: engine.session,
      learners,
      resume: resumed?.checkpoint.state,
      stop,
      checkpointAsked,
      onEvent: (event) => {
        if (event.type === 'metrics') folder.record(event.records);
        else reporter.onEvent(event);
      },
      save: async (checkpoint, { best }) => {
        checkpointPath = await folder.saveCheckpoint(checkpoint, { best });
        return checkpointPath;
      },
    });
    const summary = summaryOf(result.state, result.status);
    await folder.summarize(summary);
    reporter.notice(shares(result));
    if (result.reason && result.status === 'finished') reporter.notice(`ended early: ${result.reason}`);
    return { result, summary, config, steps: plan.steps, path: folder.path, checkpointPath };
  } catch (error) {
    // The disk may be what failed.
    await folder.summarize(summaryOf(before, 'failed')).catch(() => undefined);
    throw error;
  } finally {
    forget();
  }
}

const beginning = (dataHash: string): TrainingState => ({
  version: 1,
  step: 0,
  epoch: 1,
  stepInEpoch: 0,
  seconds: 0,
  dataHash,
  models: {},
  lrFactor: 1,
  ranks: 1,
});

/** Where the time went. */
function shares({ seconds, input }: TrainResult): string {
  const share = (part: number): string => `${((100 * part) / Math.max(seconds.training, 1e-9)).toFixed(1)}%`;
  return (
    `training ${seconds.training.toFixed(1)} s (${share(seconds.steps)} of it steps; batches were made in ${share(input.fillMs / 1000)}, ` +
    `waited for in at most ${share(input.waitMs / 1000)}), validation ${seconds.validation.toFixed(1)} s, checkpoints ${seconds.checkpoint.toFixed(1)} s`
  );
}
