// The whole configuration of a run: what was asked for, what was fitted to the machine, the preset and the defaults, in that
// order, with the origin of every value; and the checks that need more than one value.
import { parseGpus, type RunConfig, RunConfigSchema } from '@trainer/protocol';
import { usageError } from '../errors.js';
import { type Architecture, architectureOf } from '../nn/architecture.js';
import type { StartOptions } from './contract.js';
import { nameOf } from './options.js';
import { DEFAULTS, PRESETS, type PresetName } from './presets.js';

/** What of a command's options the configuration follows from. */
type Asked = Pick<StartOptions, 'config' | 'origins'> & { readonly run: Pick<StartOptions['run'], 'fastDevRun'> };

export type Origins = Readonly<Record<keyof RunConfig, string>>;

export interface CompleteConfig {
  readonly config: RunConfig;
  readonly origins: Origins;
}

export interface Completion {
  /** The one to use where none was asked for. */
  readonly preset: PresetName;
  /** Why that one: "no GPU found". */
  readonly because?: string;
  /** Values of the preset fitted to the machine. */
  readonly sized?: Partial<RunConfig>;
}

/** Depth of each family where only the family was asked for. */
const USUAL_DEPTH: Readonly<Record<Architecture, number>> = { imagenet: 18, cifar: 20 };

/** What `--fast-dev-run` trains, of one epoch that has one step more: every phase is seen once. */
const FAST_DEV_STEPS = 3;

/** @throws TrainerError (usage) where values contradict each other, naming both and their origins. */
export function completeConfig(options: Asked, { preset: chosen, because, sized = {} }: Completion): CompleteConfig {
  const preset = options.config.preset ?? chosen;
  const layers = new Layers();
  layers.add(DEFAULTS, 'default');
  layers.add(PRESETS[preset], `preset ${preset}`);
  layers.add(sized, `preset ${preset}, fitted to this machine`);
  layers.add({ preset }, because === undefined ? 'default' : `chosen: ${because}`);
  for (const [field, value] of Object.entries(options.config))
    layers.add({ [field]: value }, options.origins[field] ?? 'default');
  setFamily(layers, options);
  if (options.run.fastDevRun) layers.add(fastDevRun(layers.values), 'flag --fast-dev-run');
  // Complete and in range by the tables: a failure here is a bug, shown with its stack.
  const complete = { config: RunConfigSchema.parse(layers.values), origins: layers.origins as Origins };
  refuseInconsistency(complete);
  return complete;
}

/**
 * Refuses what contradicts itself whatever the machine is, before anything is loaded.
 * @throws TrainerError (usage) as `completeConfig`
 */
export function refuseContradictions(options: StartOptions): void {
  const presets: readonly PresetName[] = options.config.preset === undefined ? ['quick', 'full'] : [options.config.preset];
  const failures = presets.map((preset) => failureOf(() => completeConfig(options, { preset })));
  if (failures.every((failure) => failure !== undefined)) throw failures[0];
}

function failureOf(action: () => void): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

class Layers {
  readonly values: Partial<RunConfig> = {};
  readonly origins: Partial<Record<keyof RunConfig, string>> = {};

  add(values: Partial<RunConfig>, origin: string): void {
    Object.assign(this.values, values);
    for (const field of Object.keys(values)) this.origins[field as keyof RunConfig] = origin;
  }
}

/** The family follows from the depth; where only the family was asked for, the depth follows from it. */
function setFamily(layers: Layers, { config, origins }: Asked): void {
  const { arch } = config;
  const depth = layers.values.depth!;
  if (arch === undefined) {
    layers.add({ arch: architectureOf(depth) }, 'follows from depth');
  } else if (architectureOf(depth) !== arch) {
    if (config.depth !== undefined)
      throw usageError(
        `depth ${depth} (${origins['depth']}) is not of the ${arch} family (${origins['arch']}): leave --arch out, or choose ${DEPTHS[arch]}`,
      );
    layers.add({ depth: USUAL_DEPTH[arch] }, `follows from arch ${arch}`);
  }
}

const DEPTHS: Readonly<Record<Architecture, string>> = { imagenet: '--depth 18 or 34', cifar: '--depth 20, 32, 44, 56 or 110' };

function fastDevRun({ batchSize, valSplit, limitTrain, limitTest }: Partial<RunConfig>): Partial<RunConfig> {
  const batches = (FAST_DEV_STEPS + 1) * batchSize!;
  const images = Math.ceil(batches / (1 - valSplit!));
  return {
    epochs: 1,
    maxSteps: FAST_DEV_STEPS,
    limitTrain: Math.min(images, limitTrain ?? images),
    limitTest: Math.min(batches, limitTest ?? batches),
    warmup: 0,
    keep: 1,
    checkpointEvery: 1,
  };
}

/** A rule about several values: when it is broken, and what to say. */
interface Rule {
  readonly broken: (config: RunConfig) => boolean;
  /** The value that the message opens with. */
  readonly field: keyof RunConfig;
  readonly message: (config: RunConfig, origin: (field: keyof RunConfig) => string) => string;
}

/** As far as the configuration says it: `all` may be one. */
function askedRanks({ workers, gpus }: RunConfig): number {
  if (workers !== null) return workers;
  const request = gpus === null ? undefined : parseGpus(gpus);
  if (request === undefined || request === 'all') return 1;
  return 'count' in request ? request.count : request.indices.length;
}

const tooFewExamples = ({ accumulate }: RunConfig, ranks: number): string => {
  const parts = accumulate === 1 ? '' : `, each in ${accumulate} parts (--accumulate)`;
  return `is less than an image for each of ${ranks} ${ranks === 1 ? 'rank' : 'ranks'}${parts}: raise --batch-size to ${ranks * accumulate}, or ask for fewer`;
};

/**
 * For when it is known how many ranks there are (`--gpus all`), and how large batches are.
 * @throws TrainerError (usage) where not every part of every rank's share of a batch has an example
 */
export function refuseTooManyRanks(config: RunConfig, ranks: number): void {
  if (config.batchSize < ranks * config.accumulate)
    throw usageError(`batch-size ${config.batchSize} ${tooFewExamples(config, ranks)}`);
}

const RULES: readonly Rule[] = [
  {
    field: 'preset',
    broken: ({ preset, arch }) => preset === 'he' && arch !== 'cifar',
    message: ({ depth }, origin) =>
      `is He et al.'s recipe for the cifar family, which has no depth ${depth} (${origin('depth')}): choose ${DEPTHS.cifar}, or --preset full`,
  },
  {
    field: 'targetAcc',
    broken: ({ targetAcc, valSplit }) => targetAcc !== null && valSplit === 0,
    message: (_, origin) =>
      `is about validation accuracy, but val-split is 0 (${origin('valSplit')}): set --val-split 0.1, or leave --target-acc out`,
  },
  {
    field: 'batchSize',
    broken: ({ batchSize, limitTrain, valSplit }) => limitTrain !== null && batchSize > limitTrain * (1 - valSplit),
    message: ({ limitTrain, valSplit }, origin) =>
      `is larger than the training data: limit-train ${limitTrain} (${origin('limitTrain')}) less the validation split (${valSplit}); lower --batch-size or raise --limit-train`,
  },
  {
    field: 'zeroGamma',
    broken: ({ zeroGamma, norm }) => zeroGamma && norm === 'none',
    message: (_, origin) => `needs a norm to start at 0, but norm is none (${origin('norm')}): leave one of them out`,
  },
  {
    field: 'zeroGamma',
    broken: ({ zeroGamma, model }) => zeroGamma && !model.includes('resnet'),
    message: (_, origin) => `is of the residual net alone, but model is plain (${origin('model')}): leave one of them out`,
  },
  {
    field: 'workers',
    broken: ({ workers, gpus }) => workers !== null && gpus !== null,
    message: ({ gpus }, origin) =>
      `puts the ranks on the CPU, gpus ${gpus} (${origin('gpus')}) on GPUs: leave one out, or set it to none`,
  },
  {
    field: 'gpus',
    broken: ({ gpus, engine }) => gpus !== null && engine === 'wasm',
    message: (_, origin) =>
      `needs TensorFlow, but engine is wasm (${origin('engine')}), which knows no GPUs: leave one out, or use --workers`,
  },
  {
    field: 'syncBn',
    broken: ({ syncBn, norm }) => syncBn && norm === 'none',
    message: (_, origin) => `needs a norm whose statistics it shares, but norm is none (${origin('norm')}): leave one out`,
  },
  {
    field: 'batchSize',
    broken: (config) => config.batchSize < askedRanks(config) * config.accumulate,
    message: (config) => tooFewExamples(config, askedRanks(config)),
  },
  {
    field: 'warmup',
    broken: ({ warmup, epochs }) => warmup > 0 && warmup >= epochs,
    message: ({ epochs }, origin) =>
      `takes the whole run of ${epochs} epochs (${origin('epochs')}): lower --warmup or raise --epochs`,
  },
];

/** @throws TrainerError (usage) where values contradict each other, naming both and their origins. */
export function refuseInconsistency({ config, origins }: CompleteConfig): void {
  const rule = RULES.find(({ broken }) => broken(config));
  if (!rule) return;
  const { field } = rule;
  throw usageError(`${nameOf(field)} ${config[field]} (${origins[field]}) ${rule.message(config, (other) => origins[other])}`);
}
