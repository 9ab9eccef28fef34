// The one table of options: parsing, help, completion, environment variables, configuration files, --print-config and the
// documentation are all made from it. ../cli/README.md says how to add one.
import type { RunConfig } from '@trainer/protocol';
import { DEFAULTS, PRESETS } from './presets.js';
import type { Value, ValueType } from './values.js';

export type CommandName = 'start' | 'setup' | 'doctor' | 'bench step' | 'bench allreduce' | 'bench scaling' | 'completion';

interface OptionSpec {
  readonly type: ValueType;
  /** What stands for the value in help. */
  readonly metavar?: string;
  /** Of the flag as it is shown: `--no-progress` for what is on by default. */
  readonly help: string;
  readonly group: Group;
  /**
   * `config`: a field of the run's configuration, which decides its numbers. `run`: of this run alone (where, what called).
   * `output`: how the command speaks.
   */
  readonly scope: 'config' | 'run' | 'output';
  /** Of `run` and `output` options; the configuration's stand in presets.ts. */
  readonly default?: Value;
  /** "none" (null in files) takes the value away. */
  readonly nullable?: true;
  readonly short?: string;
  readonly alias?: string;
  /** Besides flags, where it may be set; absent: the environment and configuration files. */
  readonly sources?: 'flags' | 'flags and environment';
  /** `start` where absent. */
  readonly commands?: readonly CommandName[];
}

const GROUPS = ['What to train', 'How long', 'How', 'Where', 'Run', 'Output', 'Options'] as const;
type Group = (typeof GROUPS)[number];

const boolean: ValueType = { kind: 'boolean' };
const count: ValueType = { kind: 'integer', from: 1 };
const text = (what: string): ValueType => ({ kind: 'text', what });
const choice = (...choices: string[]): ValueType => ({ kind: 'choice', choices });
const names: ValueType = { kind: 'list' };

type Spec = Omit<OptionSpec, 'group' | 'scope'>;
type Section = Readonly<Record<string, Spec>>;

/** Those that train a network. */
const STEPPING = ['start', 'bench step', 'bench scaling'] as const;

const WHAT = {
  model: {
    type: { kind: 'list', choices: ['resnet', 'plain'] },
    metavar: 'NAMES',
    help: 'Which of the twins to train, divided by commas',
  },
  arch: {
    type: choice('imagenet', 'cifar'),
    help: 'Family: 18 and 34 layers with a 3x3 stem, or 6n+2 layers of 16 to 64 channels; follows from --depth',
  },
  depth: { type: count, metavar: 'N', help: 'Layers: 18, 34, or 6n+2 (20, 32, 44, 56, 110)', commands: STEPPING },
  width: {
    type: { kind: 'number', above: 0 },
    metavar: 'FACTOR',
    help: 'Multiplies the channels of every stage',
  },
  shortcut: { type: choice('A', 'B'), help: 'Where the size changes: A pads with zeros, B projects' },
  attention: { type: choice('none', 'se', 'cbam'), help: 'Attention in each block' },
  norm: { type: choice('batch', 'none'), help: 'Normalization after each convolution' },
  'zero-gamma': { type: boolean, help: 'Start the last norm of each residual block at 0 (residual net only)' },
  data: {
    type: text('auto, cifar10, shapes10 or a path'),
    metavar: 'NAME|PATH',
    help: 'auto, cifar10, shapes10, or a folder or archive of images',
  },
  'limit-train': { type: count, metavar: 'N', nullable: true, help: 'Use only N training images' },
  'limit-test': { type: count, metavar: 'N', nullable: true, help: 'Look at only N test images after each epoch' },
  'val-split': {
    type: { kind: 'number', from: 0, below: 1 },
    metavar: 'SHARE',
    help: 'Share of the training images held out to choose the best checkpoint',
  },
  'skip-bad-images': { type: boolean, help: 'Leave unreadable images out instead of refusing the data' },
  init: {
    type: text('a file'),
    metavar: 'FILE',
    nullable: true,
    help: 'Start from these weights (safetensors, torchvision names)',
  },
  freeze: { type: names, metavar: 'NAMES', help: 'Parameters, by name or its beginning, that keep their first value' },
  preset: { type: choice('quick', 'full', 'he'), help: 'Starting point of all settings; full on a GPU, quick on a CPU' },
} satisfies Section;

const LONG = {
  epochs: { type: count, metavar: 'N', help: 'Passes over the training images' },
  'max-steps': { type: count, metavar: 'N', nullable: true, help: 'End after N steps' },
  'max-time': { type: { kind: 'duration' }, metavar: 'TIME', nullable: true, help: 'End after this time: 00:12:00, or seconds' },
  'target-acc': {
    type: { kind: 'number', above: 0, upTo: 100 },
    metavar: 'PERCENT',
    nullable: true,
    help: 'End once validation accuracy reaches this',
  },
} satisfies Section;

const HOW = {
  'batch-size': { type: count, metavar: 'N', help: 'Images per step', commands: STEPPING },
  lr: { type: { kind: 'number', above: 0 }, metavar: 'RATE', help: 'Highest learning rate' },
  momentum: { type: { kind: 'number', from: 0, below: 1 }, metavar: 'M', help: 'Momentum of SGD' },
  'weight-decay': { type: { kind: 'number', from: 0 }, metavar: 'WD', help: 'L2 penalty added to the gradient' },
  schedule: { type: choice('cosine', 'step', 'constant'), help: 'Learning rate over the run; step divides by 10 at 1/2 and 3/4' },
  warmup: { type: { kind: 'number', from: 0 }, metavar: 'EPOCHS', help: 'Epochs of linear warm-up' },
  'label-smoothing': {
    type: { kind: 'number', from: 0, below: 1 },
    metavar: 'E',
    help: 'Share of the target spread over all classes',
  },
  'decay-norm': { type: boolean, help: 'No weight decay on norm parameters and biases' },
  accumulate: { type: count, metavar: 'K', help: 'Compute each batch in K parts, for the memory; the mean is the same' },
  'sync-bn': { type: boolean, help: 'Batch statistics over all ranks, not of each alone' },
  precision: { type: choice('fp32', 'bf16'), help: 'Arithmetic of convolutions and products', commands: STEPPING },
  engine: {
    type: choice('auto', 'tensorflow', 'wasm'),
    help: 'Compiled TensorFlow graphs, or WebAssembly',
    commands: ['start', 'bench step'],
  },
  seed: { type: { kind: 'integer', from: 0 }, metavar: 'N', help: 'Of initial weights, order and augmentation' },
  deterministic: { type: boolean, help: 'Same bits on every run of this machine' },
} satisfies Section;

const WHERE = {
  gpus: {
    type: { kind: 'gpus' },
    metavar: 'N|all|LIST',
    nullable: true,
    help: 'One rank per GPU: how many, all, or which (0,2; GPU 2 alone is 2,)',
  },
  workers: { type: count, metavar: 'N', nullable: true, help: 'Ranks on the CPU, which share its cores' },
  wire: {
    type: choice('fp32', 'bf16'),
    help: 'Numbers that gradients cross between ranks as',
    commands: ['start', 'bench allreduce', 'bench scaling'],
  },
} satisfies Section;

const KEEPING = {
  keep: { type: count, metavar: 'N', help: 'Newest checkpoints to keep, besides the best' },
  'checkpoint-every': { type: count, metavar: 'EPOCHS', help: 'Epochs between checkpoints' },
} satisfies Section;

const RUN = {
  seeds: { type: count, metavar: 'N', default: 1, help: 'Train N times, from --seed upwards, and report mean and deviation' },
  out: { type: text('a folder'), metavar: 'DIR', default: 'runs', alias: 'logdir', help: 'Folder of all runs' },
  name: {
    type: text('a name'),
    metavar: 'NAME',
    default: null,
    help: 'Of the run and its folder; else date, time, depth and data',
  },
  tags: { type: names, metavar: 'NAMES', default: [], help: 'Words to find the run by' },
  notes: { type: text('a text'), metavar: 'TEXT', default: null, help: 'A remark kept with the run' },
  resume: {
    type: text('last or a path'),
    metavar: 'last|PATH',
    default: null,
    sources: 'flags',
    help: 'Go on from a checkpoint',
  },
  config: {
    type: text('a file'),
    metavar: 'FILE',
    short: 'c',
    default: null,
    sources: 'flags and environment',
    help: 'Settings from FILE (yaml, json or toml) instead of ./trainer.yaml',
  },
  'print-config': { type: boolean, default: false, sources: 'flags', help: 'Print every setting with its origin, and end' },
  'dry-run': {
    type: boolean,
    default: false,
    sources: 'flags',
    help: 'Check data, models and settings, and end before training',
  },
  'fast-dev-run': {
    type: boolean,
    default: false,
    sources: 'flags',
    help: 'Try the whole way: 3 steps, one epoch, one checkpoint',
  },
} satisfies Section;

const FAULTS = {
  'commit-every': {
    type: { kind: 'duration' },
    metavar: 'TIME',
    default: 10,
    help: 'Time between commits, from which training goes on after a crash',
  },
  'max-restarts': { type: { kind: 'integer', from: 0 }, metavar: 'N', default: 3, help: 'Times to go on after a crash' },
  deadline: {
    type: { kind: 'duration' },
    metavar: 'TIME',
    nullable: true,
    default: null,
    help: 'Time after which a step counts as frozen; else 10 times the median, at least 15 s',
  },
} satisfies Section;

const BENCHES = ['bench step', 'bench allreduce', 'bench scaling'] as const;
const ALL = ['start', 'setup', 'doctor', ...BENCHES] as const;

const OUTPUT = {
  quiet: { type: boolean, short: 'q', default: false, commands: ALL, help: 'Only results, warnings and errors' },
  verbose: { type: boolean, short: 'v', default: false, commands: ALL, help: 'More detail, and stack traces of errors' },
  json: {
    type: boolean,
    default: false,
    commands: ['start', 'doctor', ...BENCHES],
    help: 'One JSON document on stdout',
  },
  progress: { type: boolean, default: true, commands: ['start', 'setup'], help: 'Draw no progress line: a plain line an epoch' },
  color: { type: choice('auto', 'always', 'never'), default: 'auto', commands: ALL, help: 'Colours' },
} satisfies Section;

const OTHER = {
  variant: {
    type: choice('auto', 'cpu', 'gpu'),
    default: 'auto',
    commands: ['setup'],
    help: 'Library to install; auto: gpu where NVIDIA GPUs are found',
  },
  steps: {
    type: count,
    metavar: 'N',
    default: 30,
    commands: ['bench step', 'bench scaling'],
    help: 'Steps to time, after warm-up',
  },
  ranks: {
    type: { kind: 'counts' },
    metavar: 'N',
    default: '2',
    commands: ['bench allreduce', 'bench scaling'],
    help: 'Threads that exchange, at most 32; bench scaling times several numbers of them: 1,2,4',
  },
  'device-ms': {
    type: { kind: 'number', above: 0 },
    metavar: 'MS',
    nullable: true,
    default: null,
    commands: ['bench scaling'],
    help: "Simulate devices whose steps take so long; also done, with a real rank's step, where ranks outnumber cores",
  },
  floats: {
    type: count,
    metavar: 'N',
    default: 11_173_962,
    commands: ['bench allreduce'],
    help: 'Numbers of the gradient; ResNet-18 has 11173962, ResNet-20 272474',
  },
} satisfies Section;

type Named<S> = { readonly [K in keyof S]: OptionSpec };
const section = <S extends Section>(specs: S, group: Group, scope: OptionSpec['scope']): Named<S> =>
  // Object.fromEntries forgets the names.
  Object.fromEntries(Object.entries(specs).map(([name, spec]) => [name, { ...spec, group, scope }])) as unknown as Named<S>;

/** All options by their name in kebab case, in the order of help. */
export const OPTIONS = {
  ...section(WHAT, 'What to train', 'config'),
  ...section(LONG, 'How long', 'config'),
  ...section(HOW, 'How', 'config'),
  ...section(WHERE, 'Where', 'config'),
  ...section(KEEPING, 'Run', 'config'),
  ...section(FAULTS, 'Run', 'run'),
  ...section(RUN, 'Run', 'run'),
  ...section(OTHER, 'Options', 'run'),
  ...section(OUTPUT, 'Output', 'output'),
};
export type OptionName = keyof typeof OPTIONS;

export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[];

export const optionsOf = (command: CommandName): OptionName[] =>
  OPTION_NAMES.filter((name) => (OPTIONS[name].commands ?? ['start']).includes(command));

/** The field of RunConfig, RunOptions or OutputOptions: `batch-size` is `batchSize`. */
export const fieldOf = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());

/** The option of a field or of a key in a file: `batchSize`, `batch_size` and `batch-size` are `batch-size`. */
export const nameOf = (field: string): string =>
  field.replace(/_/g, '-').replace(/[a-z][A-Z]/g, ([before, letter]) => `${before}-${letter!.toLowerCase()}`);

/** As it is typed: options that are on unless told otherwise are shown by their negative. */
export const flagOf = (name: string): string =>
  name in OPTIONS && defaultOf(name as OptionName) === true ? `--no-${name}` : `--${name}`;

/** What holds where no preset, file, variable or flag says otherwise; undefined where the preset decides. */
export function defaultOf(name: OptionName): Value | undefined {
  const { scope, default: value } = OPTIONS[name];
  if (scope !== 'config') return value;
  return (DEFAULTS as Partial<RunConfig>)[fieldOf(name) as keyof RunConfig];
}

/** The default for help and documentation: "128", or "preset (full: 50, quick: 6, he: 200)"; undefined where there is nothing to say. */
export function defaultText(name: OptionName): string | undefined {
  const field = fieldOf(name) as keyof RunConfig;
  const value = defaultOf(name);
  if (value === undefined) {
    const values = Object.entries(PRESETS).map(([preset, { [field]: set }]) => ({ preset, set }));
    if (values.some(({ set }) => set === undefined)) return undefined;
    if (new Set(values.map(({ set }) => set)).size === 1) return String(values[0]!.set);
    return values.map(({ preset, set }) => `${preset} ${set}`).join(', ');
  }
  if (value === null || typeof value === 'boolean') return undefined;
  return Array.isArray(value) ? value.join(',') || undefined : String(value);
}
