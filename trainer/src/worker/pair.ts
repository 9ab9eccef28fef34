// The models of a run in a session, from its configuration: the residual net, its plain twin, or one alone.
import type { RunConfig } from '@trainer/protocol';
import type { ChannelStatistics, Dataset } from '../data/contract.js';
import { usageError } from '../errors.js';
import type { Session } from '../jit/contract.js';
import type { InitialValue, Model, ParameterRecord } from '../nn/contract.js';
import { createModel } from '../nn/models.js';
import type { FloatTensor } from '../report/layout.js';
import { withGivenValues } from './snapshot.js';
import { Learner } from './step.js';

/** What of a configuration decides the models and their steps. */
export type ModelConfig = Pick<
  RunConfig,
  | 'model'
  | 'arch'
  | 'depth'
  | 'width'
  | 'shortcut'
  | 'norm'
  | 'attention'
  | 'zeroGamma'
  | 'precision'
  | 'momentum'
  | 'weightDecay'
  | 'decayNorm'
  | 'labelSmoothing'
  | 'freeze'
  | 'syncBn'
  | 'seed'
>;

/** One model for each side that trains. @throws TrainerError (usage) where the family has no such depth. */
export function createModels(config: ModelConfig, { classes, train }: Pick<Dataset, 'classes' | 'train'>): Model[] {
  const { arch, depth, width, shortcut, norm, attention, zeroGamma } = config;
  const imageSize = [train.height, train.width] as const;
  return config.model.map((side) =>
    createModel({ side, arch, depth, width, shortcut, norm, attention, zeroGamma, classes: classes.length, imageSize }),
  );
}

export interface GivenWeights {
  readonly tensors: Readonly<Record<string, FloatTensor>>;
  /** The file, for messages. */
  readonly source: string;
}

/** First values: drawn from the seed by name, so equal in both models, or given. */
export function initialValues(model: Model, seed: number, given?: GivenWeights): ParameterRecord<InitialValue> {
  const drawn = model.initialize(seed);
  return given ? withGivenValues(drawn, given.tensors, given.source) : drawn;
}

export interface LearnerOptions {
  readonly session: Session;
  readonly config: ModelConfig;
  readonly pixels: ChannelStatistics;
  /** That train together; several share their batch statistics where the configuration says so. */
  readonly ranks: number;
}

/** Which parameters keep their first value. */
export const isFrozenBy =
  (freeze: readonly string[]) =>
  (name: string): boolean =>
    freeze.some((prefix) => name.startsWith(prefix));

/** @throws TrainerError (usage) where `freeze` names nothing of the model, or leaves nothing to train. */
export function createLearner(model: Model, initial: ParameterRecord<InitialValue>, options: LearnerOptions): Learner {
  const { momentum, weightDecay, decayNorm, labelSmoothing, precision, freeze, syncBn, norm } = options.config;
  const { ranks } = options;
  const isFrozen = isFrozenBy(freeze);
  checkFrozen(initial, freeze, isFrozen);
  return new Learner(options.session, model, initial, {
    sgd: { momentum, weightDecay, decayNorm },
    labelSmoothing,
    precision,
    pixels: options.pixels,
    isFrozen,
    ...(syncBn && norm === 'batch' && ranks > 1 && { syncNorm: { ranks } }),
  });
}

function checkFrozen(
  initial: ParameterRecord<InitialValue>,
  freeze: readonly string[],
  isFrozen: (name: string) => boolean,
): void {
  const names = Object.keys(initial);
  const unknown = freeze.find((prefix) => !names.some((name) => name.startsWith(prefix)));
  if (unknown !== undefined)
    throw usageError(
      `--freeze ${unknown}: no parameter begins so; they are named like ${names[0]}, layer1.0.conv1.weight, fc.bias`,
    );
  const isTrained = (name: string): boolean => initial[name]!.trainable && initial[name]!.shape.length > 1 && !isFrozen(name);
  if (!names.some(isTrained)) throw usageError(`--freeze ${freeze} leaves no convolution or dense layer to train: freeze less`);
}
