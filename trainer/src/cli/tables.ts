// What is printed around a run: what the models cost, how the run ended, and the mean over seeds. No text ends with a line feed.
import type { ModelCost, RunConfig, RunSummary, Side } from '@trainer/protocol';
import { SIDE_NAMES } from './sides.js';
import { clockTime, grouped, percent, signed } from './text.js';

/** Parameters, operations and layers of the models, and in what the comparison is fair. */
export function costTable(models: readonly ModelCost[]): string {
  const rows = [
    ['', ...models.map(({ title }) => title)],
    ['parameters', ...models.map(({ parameters }) => grouped(parameters))],
    ['MFLOPs per image, forward', ...models.map(({ flops }) => (flops / 1e6).toFixed(1))],
    ['convolutions and dense layers', ...models.map(layerCount)],
  ];
  return [...table(rows), ...fairness(models)].join('\n');
}

const layerCount = ({ layers, projections }: ModelCost): string =>
  projections === 0 ? `${layers}` : `${layers} + ${projections} projections`;

function fairness(models: readonly ModelCost[]): string[] {
  const [resnet, plain] = SIDE_NAMES.map((side) => models.find((model) => model.side === side));
  if (!resnet || !plain) return [];
  const [of, than] = [resnet.parameters, plain.parameters];
  const share = ((100 * (of - than)) / than).toFixed(1);
  const difference =
    of === than
      ? 'as many parameters'
      : `the residual net has ${grouped(of - than)} parameters more (${share}%) in its shortcuts`;
  return [
    'fair: the same seed, the same batches in the same order, the same first values in every layer that both have;',
    `      ${difference}`,
  ];
}

/** A run that ended. */
export interface EndedRun {
  readonly summary: RunSummary;
  readonly config: Pick<RunConfig, 'depth'>;
}

type ModelSummary = NonNullable<RunSummary['models'][Side]>;
type GapKey = keyof RunSummary['gap'];

/** Rows that both tables of results have; a gap above 0 means that the residual net is ahead. */
const QUALITY = [
  ['train error', 'train_error'],
  ['validation accuracy', 'val_accuracy'],
  ['test accuracy', 'test_accuracy'],
] as const satisfies readonly (readonly [string, GapKey & keyof ModelSummary])[];

/** How a run ended: both models and the gap between them. */
export function finalTable({ summary, config }: EndedRun): string {
  const { models, gap, epochs, steps, seconds, engine, dataset } = summary;
  const sides = sidesOf(summary);
  const row = (label: string, show: (model: ModelSummary) => string): string[] => [
    label,
    ...sides.map((side) => show(models[side]!)),
  ];
  const rows = [
    head(sides, config),
    ...QUALITY.map(([label, key]) => [
      ...row(label, (model) => orDash(model[key], percent)),
      ...(sides.length > 1 ? [orDash(gap[key], signed)] : []),
    ]),
    row('best epoch', (model) => orDash(model.best_epoch, String)),
    row('images/s', (model) => orDash(model.images_per_sec, grouped)),
  ];
  const length = `${plural(epochs, 'epoch')} (${plural(steps, 'step')}) in ${clockTime(seconds)}`;
  return [...table(rows), `${length} on ${engine}, ${dataset}`].join('\n');
}

/** Mean and standard deviation (the sample's, n - 1) over two or more seeds, of both models and of the gap. */
export function seedsTable(runs: readonly EndedRun[]): string {
  const summaries = runs.map(({ summary }) => summary);
  const sides = sidesOf(summaries[0]!);
  const rows = QUALITY.map(([label, key]) => [
    label,
    ...sides.map((side) => {
      const values = summaries.map(({ models }) => models[side]?.[key] ?? null);
      return spread(values, percent);
    }),
    ...(sides.length > 1
      ? [
          spread(
            summaries.map(({ gap }) => gap[key]),
            signed,
          ),
        ]
      : []),
  ]);
  return [...table([head(sides, runs[0]!.config), ...rows]), `mean and standard deviation (sd) over ${runs.length} seeds`].join(
    '\n',
  );
}

const sidesOf = ({ models }: RunSummary): Side[] => SIDE_NAMES.filter((side) => models[side] !== undefined);

const head = (sides: readonly Side[], { depth }: EndedRun['config']): string[] => [
  '',
  ...sides.map((side) => `${side === 'resnet' ? 'ResNet' : 'Plain'}-${depth}`),
  ...(sides.length > 1 ? ['gap'] : []),
];

const orDash = (value: number | null, show: (value: number) => string): string => (value === null ? '-' : show(value));

const plural = (count: number, thing: string): string =>
  `${Number.isInteger(count) ? grouped(count) : count.toFixed(2)} ${thing}${count === 1 ? '' : 's'}`;

/** A seed that measured nothing (no validation split) leaves the cell empty. */
function spread(values: readonly (number | null)[], show: (value: number) => string): string {
  const known = values.filter((value) => value !== null);
  if (known.length < values.length) return '-';
  const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return `${show(mean)} sd ${Math.sqrt(squares / (known.length - 1)).toFixed(1)}`;
}

/** The first column is flush left, the others right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const aligned = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
  return rows.map((row) => row.map(aligned).join('   '));
}
