// `trainer start` up to its first step: data and engine loaded, preset chosen and fitted, models built.
import type { RunConfig } from '@trainer/protocol';
import type { ChannelStatistics, Dataset } from '../data/contract.js';
import { loadDataset } from '../data/load.js';
import { splitTraining } from '../data/split.js';
import { channelStatistics } from '../data/statistics.js';
import { usageError } from '../errors.js';
import type { Model } from '../nn/contract.js';
import { loadInitialWeights } from '../report/initial-weights.js';
import { cacheDir } from '../runtime/paths.js';
import { type CompleteConfig, completeConfig } from '../settings/complete.js';
import type { StartOptions } from '../settings/contract.js';
import { DEFAULTS, PRESETS, type PresetName } from '../settings/presets.js';
import { type Engine, openEngine } from '../worker/engine.js';
import { createLearner, createModels, type GivenWeights, initialValues } from '../worker/pair.js';
import { quickSize, timeSteps } from '../worker/quick.js';
import type { Learner } from '../worker/step.js';
import type { Reporter } from './terminal.js';

/** Everything that training needs and that several seeds share. */
export interface Prepared {
  readonly complete: CompleteConfig;
  readonly dataset: Dataset;
  readonly engine: Engine;
  readonly models: readonly Model[];
  readonly learners: readonly Learner[];
  readonly given: GivenWeights | undefined;
}

export interface PrepareOptions {
  readonly options: StartOptions;
  /** Of the run that goes on: nothing is left to choose. */
  readonly resumed: RunConfig | undefined;
  readonly reporter: Reporter;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
}

/** Stands in until the training images are chosen: steps are timed before that. */
const ANY_PIXELS: ChannelStatistics = { mean: [128, 128, 128], std: [64, 64, 64] };

/** A quarter of the operations: in minutes, nets of full width would see too few images to learn anything. */
const WASM_WIDTH = 0.5;

/** Of an epoch of very few images. */
const FEWEST_STEPS = 4;

/** @throws TrainerError where data, engine or configuration will not do; the signal's reason once it is aborted. */
export async function prepare(context: PrepareOptions): Promise<Prepared> {
  const { options, resumed, reporter, signal } = context;
  const asked = resumed ?? options.config;
  // What is slow must not go on where the other failed.
  const failed = new AbortController();
  const opening = openEngine({
    engine: asked.engine ?? 'auto',
    deterministic: asked.deterministic ?? false,
    onNotice: (line) => reporter.notice(line),
  });
  const loading = load(context, asked, AbortSignal.any([signal, failed.signal]));
  const [engine, dataset] = await Promise.all([opening, loading]).catch(async (error: unknown) => {
    failed.abort(error);
    const [opened] = await Promise.allSettled([opening, loading]);
    if (opened.status === 'fulfilled') opened.value.session.close();
    throw error;
  });
  try {
    return await build(context, engine, dataset);
  } catch (error) {
    engine.session.close();
    throw error;
  }
}

function load({ reporter, env }: PrepareOptions, asked: Partial<RunConfig>, signal: AbortSignal): Promise<Dataset> {
  return loadDataset(asked.data ?? 'auto', {
    cacheDir: cacheDir(env),
    skipBadImages: asked.skipBadImages ?? false,
    onNotice: (line) => reporter.notice(line),
    onProgress: (progress) => reporter.progress(progress),
    signal,
  });
}

async function build(
  { options, resumed, reporter, signal }: PrepareOptions,
  engine: Engine,
  dataset: Dataset,
): Promise<Prepared> {
  const first = resumed
    ? { config: resumed, origins: {} as CompleteConfig['origins'] }
    : firstConfig(options, { engine, dataset, reporter });
  const { config } = first;
  checkBatchSize(config, Math.floor(dataset.train.count * (1 - config.valSplit)), dataset);
  // A checkpoint holds all that the file gave.
  const given =
    config.init === null || resumed ? undefined : { tensors: await loadInitialWeights(config.init), source: config.init };
  const models = createModels(config, dataset);
  const learners = models.map((model) =>
    createLearner(model, initialValues(model, config.seed, given), { session: engine.session, config, pixels: ANY_PIXELS }),
  );
  const isSized = resumed !== undefined || config.preset !== 'quick' || isGiven(options);
  const complete = isSized ? first : await fit(options, { first, engine, dataset, learners, reporter, signal });
  return { complete, dataset, engine, models, learners, given };
}

/** Whether the size of the run is said, or must be the same each time. */
const isGiven = ({ config, run }: StartOptions): boolean =>
  run.fastDevRun ||
  config.deterministic === true ||
  (config.limitTrain !== undefined && (config.epochs !== undefined || config.maxSteps !== undefined));

/** Preset, precision and width by what the machine has. */
function firstConfig(
  options: StartOptions,
  { engine, dataset, reporter }: Omit<Fitting, 'first' | 'learners' | 'signal'>,
): CompleteConfig {
  const preset = presetFor(engine.gpu);
  const batch = batchFor(options, dataset);
  if (batch.batchSize !== undefined)
    reporter.notice(`batches of ${batch.batchSize}, as there are few images; --batch-size sets another size`);
  const complete = completeConfig(options, { ...preset, sized: { ...fittedTo(engine, options, preset.preset), ...batch } });
  if (options.config.preset === undefined)
    reporter.notice(`preset ${complete.config.preset}, as ${preset.because}; --preset full, he or quick chooses another`);
  if (complete.config.width === WASM_WIDTH && options.config.width === undefined)
    reporter.notice('half the channels, for this slow engine: --width 1 trains whole networks');
  return complete;
}

/** A smaller batch than the presets', where that would leave an epoch less than a few steps and none was asked for. */
function batchFor({ config }: StartOptions, { train }: Dataset): Pick<Partial<RunConfig>, 'batchSize'> {
  const images = Math.min(train.count, config.limitTrain ?? train.count) * (1 - (config.valSplit ?? DEFAULTS.valSplit));
  if (config.batchSize !== undefined || images >= PRESETS.full.batchSize) return {};
  return { batchSize: Math.max(1, 2 ** Math.floor(Math.log2(images / FEWEST_STEPS))) };
}

/** The preset where none is asked for. */
export const presetFor = (gpu: boolean): { readonly preset: PresetName; readonly because: string } =>
  gpu ? { preset: 'full', because: 'there is a GPU' } : { preset: 'quick', because: 'there is no GPU' };

/** What of `quick` depends on the engine: bfloat16 where it is fast, half the channels where everything is slow. */
function fittedTo({ session, fastBf16 }: Engine, options: StartOptions, chosen: PresetName): Partial<RunConfig> {
  if ((options.config.preset ?? chosen) !== 'quick') return {};
  const narrow = session.engine === 'wasm' && typeof options.config.init !== 'string';
  return { ...(fastBf16 && { precision: 'bf16' }), ...(narrow && { width: WASM_WIDTH }) };
}

interface Fitting {
  readonly first: CompleteConfig;
  readonly engine: Engine;
  readonly dataset: Dataset;
  readonly learners: readonly Learner[];
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
}

/** Images and epochs of `quick`, from the speed of a few steps. */
async function fit(
  options: StartOptions,
  { first, engine, dataset, learners, reporter, signal }: Fitting,
): Promise<CompleteConfig> {
  reporter.notice('timing a few steps, to fit the quick preset to this machine');
  const imagesPerSec = await timeSteps({ learners, train: dataset.train, batchSize: first.config.batchSize, signal });
  const size = quickSize(imagesPerSec, learners.length, { train: dataset.train.count, test: dataset.test.count });
  return completeConfig(options, {
    preset: 'quick',
    because: presetFor(engine.gpu).because,
    sized: { ...fittedTo(engine, options, 'quick'), ...batchFor(options, dataset), ...size },
  });
}

/** Which images train, validate and test, and what normalizes them. */
export interface Images {
  readonly split: { readonly train: Uint32Array; readonly validation: Uint32Array; readonly test: Uint32Array };
  readonly pixels: ChannelStatistics;
}

/** @throws TrainerError (usage) where nothing is left to train on, or less than a batch. */
export function chooseImages(config: RunConfig, dataset: Dataset): Images {
  const { limitTrain, limitTest, valSplit, seed } = config;
  const { train, validation } = splitTraining(dataset.train, { limit: limitTrain, valSplit, seed });
  checkBatchSize(config, train.length, dataset);
  // The same test images whatever the seed, so that seeds compare.
  const test = splitTraining(dataset.test, { limit: limitTest, valSplit: 0, seed: 0 }).train;
  return { split: { train, validation, test }, pixels: channelStatistics(dataset.train, train) };
}

function checkBatchSize({ batchSize }: RunConfig, images: number, { name }: Dataset): void {
  if (batchSize > images)
    throw usageError(`--batch-size ${batchSize} is larger than the ${images} training images of ${name}: lower it`);
}
