// report.html: a run on one page that needs no network, no script and no other file.
import { createHash } from 'node:crypto';
import type { MetricRecord, RunConfig, RunSummary } from '@trainer/protocol';
import type { RunRecord } from '../metadata.js';
import { type ChartLine, chart } from './chart.js';
import { percent, signed } from './format.js';
import { type Markup, markup, Markup as Raw } from './markup.js';
import { commands, configuration, epochTable, header, headline, modelTable, surroundings, title, trained } from './sections.js';
import { collectSeries, type Series, type SeriesKey } from './series.js';
import { STYLE } from './style.js';

export interface ReportInput {
  readonly name: string;
  readonly config: RunConfig;
  readonly summary: RunSummary;
  /** Absent where metadata.json was lost; the page then leaves out what it said. */
  readonly metadata: RunRecord | undefined;
  /** All records, in order of their steps; read once. */
  readonly records: () => AsyncIterable<MetricRecord>;
}

/** The page's text. Everything in it that is not ours is escaped. */
export async function renderReport({ name, config, summary, metadata, records }: ReportInput): Promise<string> {
  const series = await collectSeries(records());
  // No script and no outside resource can run or load, whatever a run's name or notes hold.
  const policy = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`;
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${name}</title>
<style>${new Raw(STYLE)}</style>
</head>
<body>
<main>
${header(name, config, summary, metadata)}
${headline(config, summary)}
${charts(config, summary, series)}
${modelTable(config, summary)}
${epochTable(config, summary, series)}
${configuration(config)}
${metadata === undefined ? '' : surroundings(metadata)}
${commands(metadata)}
<footer>Every number on this page was measured in this run. Its records are in metrics.jsonl and metrics.csv beside this file.</footer>
</main>
</body>
</html>
`;
  return page.text;
}

function charts(config: RunConfig, summary: RunSummary, series: ReadonlyMap<SeriesKey, Series>): Markup {
  const { steps, epochs } = summary;
  if (steps === 0) return markup`<section><h2>Curves</h2><p class="facts">No step was completed.</p></section>`;
  const line = (look: ChartLine['look'], label: string, key: SeriesKey): ChartLine => {
    const { epochs: points, steps: behind } = series.get(key) ?? { epochs: [], steps: [] };
    return { look, label, points, behind };
  };
  const both = (metric: string): ChartLine[] =>
    trained(summary).map((side) => line(side, title(side, config), `${side}/${metric}`));
  const share = { unit: 'percent', format: percent, bounds: [0, 100], steps, epochs } as const;
  const gap: readonly ChartLine[] = [
    line('gap-train', 'Train error', 'gap/gap/train_error'),
    line('gap-val', 'Validation accuracy', 'gap/gap/val_accuracy'),
  ];
  return markup`<section><h2>Curves</h2><div class="charts">${[
    chart({
      ...share,
      title: 'Train error, %',
      note: 'What degradation is about: lower is better. Means of epochs.',
      lines: both('train/error'),
    }),
    chart({
      ...share,
      title: 'Validation accuracy, %',
      note: 'Held out of the training set; chooses the best epoch.',
      lines: both('val/accuracy'),
    }),
    chart({
      title: 'Training loss',
      note: 'Cross-entropy, label smoothing included. Means of epochs.',
      unit: 'nats',
      format: (value) => value.toFixed(3),
      include: [0],
      steps,
      epochs,
      lines: both('train/loss'),
    }),
    chart({ ...share, title: 'Test accuracy, %', note: 'Looked at once an epoch; never chooses.', lines: both('test/accuracy') }),
    chart({
      title: 'The gap, points',
      note: 'Above zero, the residual net is ahead.',
      unit: 'points',
      format: signed,
      include: [0],
      steps,
      epochs,
      wide: true,
      lines: gap,
    }),
  ]}</div></section>`;
}
