// The parts of the report beside its charts: headline numbers, tables, configuration, surroundings, commands.
import { type RunConfig, type RunSummary, SIDES, type Side } from '@trainer/protocol';
import type { RunRecord } from '../metadata.js';
import { sample } from './chart.js';
import { commandLine, count, duration, large, percent, signed } from './format.js';
import { type Markup, markup } from './markup.js';
import type { Series, SeriesKey } from './series.js';

/** What people call a model: `ResNet-20`, `Plain-20`. */
export const title = (side: Side, config: RunConfig): string => `${side === 'resnet' ? 'ResNet' : 'Plain'}-${config.depth}`;

export const trained = (summary: RunSummary): Side[] => SIDES.filter((side) => summary.models[side] !== undefined);

export function header(name: string, config: RunConfig, summary: RunSummary, metadata: RunRecord | undefined): Markup {
  const models = trained(summary).map((side) => title(side, config));
  const facts = [
    summary.status,
    `${Number(summary.epochs.toFixed(2))} epochs, ${count(summary.steps)} steps in ${duration(summary.seconds)}`,
    summary.engine,
    ...(metadata === undefined
      ? []
      : [
          `${metadata.host.cpu} (${metadata.host.cores} cores)`,
          `started ${metadata.started.slice(0, 16).replace('T', ' ')} UTC`,
        ]),
  ];
  return markup`<header><p class="over">${name}</p><h1>${models.map((model, at) => markup`${at > 0 ? ' and ' : ''}<span class="nobreak">${model}</span>`)} on ${summary.dataset}</h1><p class="facts">${facts.join(' · ')}</p>${
    summary.preset === 'quick' ? markup`<p class="hint">Short run: it shows speed of learning, not final accuracy.</p>` : ''
  }</header>`;
}

export function headline(config: RunConfig, summary: RunSummary): Markup {
  const { train_error: gap } = summary.gap;
  const models = trained(summary).map((side) => {
    const { train_error, val_accuracy, test_accuracy } = summary.models[side]!;
    return markup`<div class="stat ${side}"><h3>${title(side, config)}: train error</h3><p class="big">${percent(train_error)}</p><p class="note">validation accuracy ${percent(val_accuracy)}<br>test accuracy ${percent(test_accuracy)}</p></div>`;
  });
  const ahead =
    gap === null ? undefined : gap > 0 ? 'the residual net is ahead' : gap < 0 ? 'the plain net is ahead' : 'neither is ahead';
  return markup`<section class="stats">${models}${
    ahead === undefined
      ? ''
      : markup`<div class="stat gap"><h3>Gap in train error</h3><p class="big">${signed(gap)} <small>points</small></p><p class="note">${ahead}<br>validation accuracy ${signed(summary.gap.val_accuracy)}, test ${signed(summary.gap.test_accuracy)}</p></div>`
  }</section>`;
}

export function modelTable(config: RunConfig, summary: RunSummary): Markup {
  return markup`<section><h2>Both models</h2><div class="scroll"><table><thead><tr><th scope="col">Model</th><th scope="col">Parameters</th><th scope="col">FLOPs an image</th><th scope="col">Train error</th><th scope="col">Val accuracy</th><th scope="col">Test accuracy</th><th scope="col">Best epoch</th><th scope="col">Images/s</th></tr></thead><tbody>${trained(
    summary,
  ).map((side) => {
    const model = summary.models[side]!;
    return markup`<tr><th scope="row">${sample(side)}${title(side, config)}</th><td>${count(model.parameters)}</td><td>${large(model.flops)}</td><td>${percent(model.train_error)}</td><td>${percent(model.val_accuracy)}</td><td>${percent(model.test_accuracy)}</td><td>${count(model.best_epoch)}</td><td>${count(model.images_per_sec)}</td></tr>`;
  })}</tbody></table></div><p class="note">Train error is measured on augmented images while the weights move. The best epoch is chosen on the validation split; the test set never chooses. FLOPs: one forward pass, a multiply-add counted as two.</p></section>`;
}

const EPOCH_COLUMNS = [
  { name: 'train/error', label: 'train error' },
  { name: 'val/accuracy', label: 'val accuracy' },
  { name: 'test/accuracy', label: 'test accuracy' },
] as const;
/** Longer runs show every second, third, ... epoch. */
const MAX_EPOCH_ROWS = 50;

export function epochTable(config: RunConfig, summary: RunSummary, series: ReadonlyMap<SeriesKey, Series>): Markup | undefined {
  const sides = trained(summary);
  const columns = sides.flatMap((side) =>
    EPOCH_COLUMNS.map(({ name, label }) => ({ key: `${side}/${name}` as SeriesKey, side, label })),
  );
  const values = new Map(
    [...series].map(([key, { epochs }]) => [key, new Map(epochs.map(({ epoch, value }) => [epoch, value]))]),
  );
  const numbers = [...new Set([...values.values()].flatMap((byEpoch) => [...byEpoch.keys()]))].sort((a, b) => a - b);
  if (numbers.length === 0) return undefined;
  const every = Math.ceil(numbers.length / MAX_EPOCH_ROWS);
  const shown = numbers.filter((_, at) => (numbers.length - 1 - at) % every === 0);
  const cell = (epoch: number, key: SeriesKey, format: (value: number | null) => string): Markup =>
    markup`<td>${format(finite(values.get(key)?.get(epoch)))}</td>`;
  const both = sides.length === 2;
  return markup`<section><h2>Epoch by epoch</h2><div class="scroll"><table><thead><tr><th scope="col">Epoch</th>${columns.map(
    ({ side, label }) => markup`<th scope="col">${title(side, config)}<br>${label}</th>`,
  )}${both ? markup`<th scope="col">Gap<br>train error</th>` : ''}</tr></thead><tbody>${shown.map(
    (epoch) =>
      markup`<tr><th scope="row">${epoch}</th>${columns.map(({ key }) => cell(epoch, key, percent))}${both ? cell(epoch, 'gap/gap/train_error', signed) : ''}</tr>`,
  )}</tbody></table></div></section>`;
}

const finite = (value: number | undefined): number | null => (value !== undefined && Number.isFinite(value) ? value : null);

export function configuration(config: RunConfig): Markup {
  const value = (entry: RunConfig[keyof RunConfig]): string => {
    if (entry === null || (Array.isArray(entry) && entry.length === 0)) return 'none';
    return Array.isArray(entry) ? entry.join(', ') : String(entry);
  };
  return markup`<section><h2>Configuration</h2>${list(Object.entries(config).map(([key, entry]) => [words(key), value(entry)]))}</section>`;
}

/** `batchSize` as `batch size`. */
const words = (key: string): string => key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

export function surroundings(metadata: RunRecord): Markup {
  const { host, versions, dataset } = metadata;
  return markup`<section><h2>Made with</h2>${list(
    [
      ['trainer', versions.trainer],
      ['engine', `${metadata.engine} · ${versions.library}`],
      ['TensorFlow.js', versions.tfjs],
      ['Node.js', versions.node],
      ['computer', `${host.name}: ${host.cpu}, ${host.cores} cores, ${Math.round(host.memory_bytes / 2 ** 30)} GiB`],
      ['system', `${host.os} ${host.arch}`],
      ['devices', metadata.devices.join(', ')],
      ['seeds', metadata.seeds.join(', ')],
      ['data', `${dataset.name} (${dataset.origin})`],
      ['data SHA-256', dataset.sha256],
      ...SIDES.flatMap((side) => {
        const hash = metadata.init_sha256[side];
        return hash === undefined ? [] : [[`initial ${side} SHA-256`, hash] as const];
      }),
      ...metadata.resumed.map(({ time, step }) => ['gone on', `${time} after step ${count(step)}`] as const),
      ...(metadata.tags.length > 0 ? [['tags', metadata.tags.join(', ')] as const] : []),
      ...(metadata.notes === '' ? [] : [['notes', metadata.notes] as const]),
    ],
    'rows',
  )}</section>`;
}

export function commands(metadata: RunRecord | undefined): Markup {
  return markup`<section><h2>Run it again</h2><p class="note">In the run's folder, with the same settings and seed:</p><pre>trainer start --config config.yaml</pre>${
    metadata === undefined
      ? ''
      : markup`<p class="note">This run was started by:</p><pre>${commandLine(['trainer', ...metadata.command_line])}</pre>`
  }</section>`;
}

const list = (rows: readonly (readonly [name: string, value: string])[], look = ''): Markup =>
  markup`<dl class="${look}">${rows.map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
