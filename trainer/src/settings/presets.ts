// Presets: named starting points of a run's configuration, each derived from another. Any flag, variable or file beats them.
import type { RunConfig } from '@trainer/protocol';

export type PresetName = RunConfig['preset'];

/** What no preset decides. */
export const DEFAULTS = {
  model: ['resnet', 'plain'],
  width: 1,
  shortcut: 'B',
  attention: 'none',
  norm: 'batch',
  zeroGamma: false,
  data: 'auto',
  limitTrain: null,
  limitTest: null,
  valSplit: 0.1,
  skipBadImages: false,
  init: null,
  freeze: [],
  maxSteps: null,
  maxTime: null,
  targetAcc: null,
  momentum: 0.9,
  warmup: 0,
  labelSmoothing: 0,
  decayNorm: true,
  precision: 'fp32',
  engine: 'auto',
  seed: 42,
  deterministic: false,
  keep: 3,
  checkpointEvery: 1,
  workers: null,
  gpus: null,
  wire: 'fp32',
  accumulate: 1,
  syncBn: false,
} as const satisfies Partial<RunConfig>;

type Preset = Partial<RunConfig> & Pick<RunConfig, 'depth' | 'epochs' | 'batchSize' | 'lr' | 'weightDecay' | 'schedule'>;

const full: Preset = { depth: 18, epochs: 50, batchSize: 128, lr: 0.1, weightDecay: 5e-4, schedule: 'cosine' };

/**
 * He et al. 2015, section 4.2: 64,000 steps, the rate divided by 10 at 32,000 and 48,000 (the schedule's halves and three
 * quarters). 64,000 steps are 183 epochs of CIFAR-10's 45,000 images; `epochs` only bounds smaller data.
 */
const he: Preset = { ...full, depth: 56, shortcut: 'A', epochs: 200, maxSteps: 64_000, weightDecay: 1e-4, schedule: 'step' };

/** A few minutes on a CPU; the command fits images and epochs to the machine. */
const quick: Preset = { ...full, depth: 20, epochs: 6, limitTrain: 10_000, limitTest: 2_000, weightDecay: 1e-4 };

export const PRESETS: Readonly<Record<PresetName, Preset>> = { quick, full, he };

/** The preset where none is asked for. */
export const presetFor = (gpu: boolean): { readonly preset: PresetName; readonly because: string } =>
  gpu ? { preset: 'full', because: 'there is a GPU' } : { preset: 'quick', because: 'there is no GPU' };
