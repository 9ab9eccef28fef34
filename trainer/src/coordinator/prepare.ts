// Up to a run's first step: data and devices opened, preset chosen and fitted, models built.
import type { RunConfig } from '@trainer/protocol';
import type { ChannelStatistics, Dataset } from '../data/contract.js';
import { splitTraining } from '../data/split.js';
import { channelStatistics } from '../data/statistics.js';
import { usageError } from '../errors.js';
import type { Model } from '../nn/contract.js';
import { loadInitialWeights } from '../report/initial-weights.js';
import { cacheDir } from '../runtime/paths.js';
import { type CompleteConfig, completeConfig, refuseTooManyRanks } from '../settings/complete.js';
import { DEFAULTS, PRESETS, type PresetName, presetFor } from '../settings/presets.js';
import type { Clock } from '../time.js';
import type { DeviceDescription } from '../worker/device.js';
import { createModels, type GivenWeights } from '../worker/pair.js';
import { quickSize } from '../worker/quick.js';
import type { Split } from '../worker/rank-protocol.js';
import type { RankGroup, Teller } from './contract.js';
import type { OpenRanks } from './open-ranks.js';
import type { Asked } from './start.js';
import type { Surroundings } from './surroundings.js';

/** Everything that training needs and that several seeds share. */
export interface Prepared {
  readonly complete: CompleteConfig;
  readonly dataset: Dataset;
  readonly group: RankGroup;
  /** By rank. */
  readonly devices: readonly DeviceDescription[];
  readonly models: readonly Model[];
  readonly given: GivenWeights | undefined;
  /** Ends the ranks' threads. */
  close(): Promise<void>;
}

export interface PrepareOptions {
  readonly asked: Asked;
  /** Of the run that goes on: nothing is left to choose. */
  readonly resumed: RunConfig | undefined;
  readonly teller: Teller;
  readonly clock: Clock;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly surroundings: Pick<Surroundings, 'openRanks' | 'loadDataset'>;
}

/** A quarter of the operations: in minutes, nets of full width would see too few images to learn anything. */
const WASM_WIDTH = 0.5;

/** Of an epoch of very few images. */
const FEWEST_STEPS = 4;

/** @throws TrainerError where data, devices or configuration will not do; the signal's reason once it is aborted. */
export async function prepare(context: PrepareOptions): Promise<Prepared> {
  const { asked, resumed, signal, teller, clock, env, surroundings } = context;
  const wanted = resumed ?? asked.config;
  const ranks = await surroundings.openRanks({ config: wanted, deadline: asked.run.deadline, teller, clock, env });
  try {
    // What is slow must not go on where the other failed.
    const failed = new AbortController();
    const opening = ranks.group.open();
    const loading = load(context, wanted, AbortSignal.any([signal, failed.signal]));
    const [devices, dataset] = await Promise.all([opening, loading]).catch(async (error: unknown) => {
      failed.abort(error);
      await Promise.allSettled([opening, loading]);
      throw error;
    });
    signal.throwIfAborted();
    return await build(context, { ranks, devices, dataset });
  } catch (error) {
    await ranks.close();
    throw error;
  }
}

function load({ teller, env, surroundings }: PrepareOptions, wanted: Partial<RunConfig>, signal: AbortSignal): Promise<Dataset> {
  return surroundings.loadDataset(wanted.data ?? 'auto', {
    cacheDir: cacheDir(env),
    skipBadImages: wanted.skipBadImages ?? false,
    onNotice: (line) => teller.notice(line),
    onProgress: teller.onProgress,
    signal,
  });
}

interface Opened {
  readonly ranks: OpenRanks;
  readonly devices: readonly DeviceDescription[];
  readonly dataset: Dataset;
}

async function build({ asked, resumed, teller, signal }: PrepareOptions, opened: Opened): Promise<Prepared> {
  const { ranks, devices, dataset } = opened;
  const { group } = ranks;
  const first = resumed
    ? { config: resumed, origins: {} as CompleteConfig['origins'] }
    : firstConfig(asked, { device: devices[0]!, dataset, teller });
  const { config } = first;
  refuseTooManyRanks(config, group.ranks);
  checkBatchSize(config, Math.floor(dataset.train.count * (1 - config.valSplit)), dataset);
  // A checkpoint holds all that the file gave.
  const given =
    config.init === null || resumed ? undefined : { tensors: await loadInitialWeights(config.init), source: config.init };
  refuseSyncNorms(config, group.ranks, devices[0]!);
  const models = createModels(config, dataset);
  const { classes, train, test } = dataset;
  await group.build({ config, classes, train, test });
  signal.throwIfAborted();
  const isSized = resumed !== undefined || config.preset !== 'quick' || isGiven(asked);
  const complete = isSized ? first : await fit(asked, { first, device: devices[0]!, dataset, group, teller });
  signal.throwIfAborted();
  return { complete, dataset, group, devices, models, given, close: () => ranks.close() };
}

/** The WebAssembly engine cannot wait for others in the middle of a step. */
function refuseSyncNorms({ syncBn }: RunConfig, ranks: number, { engine }: DeviceDescription): void {
  if (syncBn && ranks > 1 && engine === 'wasm')
    throw usageError('--sync-bn needs the TensorFlow engine with several ranks: run `trainer setup`, or leave it out');
}

/** Whether the size of the run is said, or must be the same each time. */
const isGiven = ({ config, run }: Asked): boolean =>
  run.fastDevRun ||
  config.deterministic === true ||
  (config.limitTrain !== undefined && (config.epochs !== undefined || config.maxSteps !== undefined));

/** Preset, precision and width by what the machine has. */
function firstConfig(
  asked: Asked,
  { device, dataset, teller }: { readonly device: DeviceDescription; readonly dataset: Dataset; readonly teller: Teller },
): CompleteConfig {
  const preset = presetFor(device.gpu);
  const batch = batchFor(asked, dataset);
  if (batch.batchSize !== undefined)
    teller.notice(`batches of ${batch.batchSize}, as there are few images; --batch-size sets another size`);
  const complete = completeConfig(asked, { ...preset, sized: { ...fittedTo(device, asked, preset.preset), ...batch } });
  if (asked.config.preset === undefined)
    teller.notice(`preset ${complete.config.preset}, as ${preset.because}; --preset full, he or quick chooses another`);
  if (complete.config.width === WASM_WIDTH && asked.config.width === undefined)
    teller.notice('half the channels, for this slow engine: --width 1 trains whole networks');
  return complete;
}

/** A smaller batch than the presets', where that would leave an epoch less than a few steps and none was asked for. */
function batchFor({ config }: Asked, { train }: Dataset): Pick<Partial<RunConfig>, 'batchSize'> {
  const images = Math.min(train.count, config.limitTrain ?? train.count) * (1 - (config.valSplit ?? DEFAULTS.valSplit));
  if (config.batchSize !== undefined || images >= PRESETS.full.batchSize) return {};
  return { batchSize: Math.max(1, 2 ** Math.floor(Math.log2(images / FEWEST_STEPS))) };
}

/** What of `quick` depends on the device: bfloat16 where it is fast, half the channels where everything is slow. */
function fittedTo({ engine, fastBf16 }: DeviceDescription, { config }: Asked, chosen: PresetName): Partial<RunConfig> {
  if ((config.preset ?? chosen) !== 'quick') return {};
  const narrow = engine === 'wasm' && typeof config.init !== 'string';
  return { ...(fastBf16 && { precision: 'bf16' }), ...(narrow && { width: WASM_WIDTH }) };
}

interface Fitting {
  readonly first: CompleteConfig;
  readonly device: DeviceDescription;
  readonly dataset: Dataset;
  readonly group: RankGroup;
  readonly teller: Teller;
}

/** Images and epochs of `quick`, from the speed of a few steps. */
async function fit(asked: Asked, { first, device, dataset, group, teller }: Fitting): Promise<CompleteConfig> {
  teller.notice('timing a few steps, to fit the quick preset to this machine');
  const imagesPerSec = await group.time(first.config.batchSize);
  const { train, test } = dataset;
  const size = quickSize(imagesPerSec, first.config.model.length, { train: train.count, test: test.count });
  return completeConfig(asked, {
    preset: 'quick',
    because: presetFor(device.gpu).because,
    sized: { ...fittedTo(device, asked, 'quick'), ...batchFor(asked, dataset), ...size },
  });
}

/** Which images train, validate and test, and what normalizes them. */
export interface Images {
  readonly split: Split;
  readonly pixels: ChannelStatistics;
}

/** @throws TrainerError (usage) where nothing is left to train on, or less than a batch. */
export function chooseImages(config: RunConfig, dataset: Dataset, ranks: number): Images {
  const { limitTrain, limitTest, valSplit, seed } = config;
  const { train, validation } = splitTraining(dataset.train, { limit: limitTrain, valSplit, seed });
  checkBatchSize(config, train.length, dataset);
  checkLastBatch(config, train.length, ranks);
  // The same test images whatever the seed, so that seeds compare.
  const test = splitTraining(dataset.test, { limit: limitTest, valSplit: 0, seed: 0 }).train;
  return { split: { train, validation, test }, pixels: channelStatistics(dataset.train, train) };
}

/** Norms over all ranks need an example in every part of each rank's share. */
function checkLastBatch({ syncBn, batchSize, accumulate }: RunConfig, images: number, ranks: number): void {
  const last = images % batchSize;
  if (syncBn && ranks > 1 && last > 0 && last < ranks * accumulate)
    throw usageError(
      `--sync-bn: the last batch of an epoch would hold ${last} of ${images} images, too few for ${ranks} ranks` +
        `${accumulate > 1 ? ` in ${accumulate} parts` : ''}: choose another --batch-size or --limit-train`,
    );
}

function checkBatchSize({ batchSize }: RunConfig, images: number, { name }: Dataset): void {
  if (batchSize > images)
    throw usageError(`--batch-size ${batchSize} is larger than the ${images} training images of ${name}: lower it`);
}
