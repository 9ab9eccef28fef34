import type { MetricRecord, RunSummary } from '@trainer/protocol';
import { describe, expect, test } from 'vitest';
import { describeRun } from '../metadata.js';
import { testConfig } from '../test-config.js';
import { commandLine, count, duration, large, percent, signed } from './format.js';
import { markup } from './markup.js';
import { renderReport } from './report.js';
import { linearScale } from './scale.js';
import { collectSeries } from './series.js';

const model = {
  train_error: 42,
  val_accuracy: 57.14,
  test_accuracy: 56,
  best_epoch: 2,
  parameters: 272_474,
  flops: 82.1e6,
  images_per_sec: 961.6,
};
const summary: RunSummary = {
  status: 'finished',
  preset: 'quick',
  models: { resnet: model, plain: { ...model, train_error: 49.9, parameters: 269_722 } },
  gap: { train_error: 7.9, val_accuracy: 0, test_accuracy: null },
  epochs: 2,
  steps: 4,
  seconds: 221,
  engine: 'tensorflow',
  dataset: 'shapes10',
};
const metadata = describeRun(
  'run',
  {
    commandLine: ['start', '--notes', "it's"],
    engine: 'tensorflow',
    library: 'TensorFlow 2.21.0',
    devices: ['CPU'],
    seeds: [42],
    dataset: { name: 'shapes10', origin: 'made', hash: 'ab' },
    initHash: {},
    tags: [],
    notes: '<script>alert("1")</script>',
  },
  new Date(0),
);
const record = (
  step: number,
  name: MetricRecord['name'],
  value: number,
  side: MetricRecord['model'] = 'resnet',
): MetricRecord => ({
  step,
  epoch: Math.ceil(step / 2),
  time: 0,
  model: side,
  name,
  value,
});
async function* stream(records: readonly MetricRecord[]): AsyncGenerator<MetricRecord> {
  yield* records;
}
const render = (records: readonly MetricRecord[] = [], values: Partial<RunSummary> = {}): Promise<string> =>
  renderReport({
    name: 'run <1>',
    config: testConfig(),
    summary: { ...summary, ...values },
    metadata,
    records: () => stream(records),
  });

describe('the report', () => {
  test('needs nothing but itself, and lets nothing run', async () => {
    const page = await render([record(2, 'train/loss', 1)]);
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(|https?:|\sstyle=|\son\w+=/);
    expect(page).toContain('content="default-src &#39;none&#39;; style-src &#39;sha256-');
  });

  test('escapes what people wrote', async () => {
    const page = await render();
    expect(page).toContain('<title>run &lt;1&gt;</title>');
    expect(page).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;');
  });

  test('says both models’ numbers, the gap and how to repeat it', async () => {
    const page = await render();
    for (const text of [
      'ResNet-20',
      'Plain-20',
      '42.0%',
      '49.9%',
      '57.1%',
      '272,474',
      '82.1 M',
      '962',
      '+7.9',
      '3:41',
      'the residual net is ahead',
    ])
      expect(page).toContain(text);
    expect(page).toContain('<pre>trainer start --config config.yaml</pre>');
    expect(page).toContain('<pre>trainer start --notes &#39;it&#39;\\&#39;&#39;s&#39;</pre>');
  });

  test('says of a short run what it can show, and of no other', async () => {
    const note = 'Short run: it shows speed of learning, not final accuracy.';
    expect(await render()).toContain(note);
    expect(await render([], { preset: 'full' })).not.toContain(note);
  });

  test('draws a line for each model, by epoch', async () => {
    const page = await render([
      record(2, 'train/error', 80),
      record(2, 'train/error', 90, 'plain'),
      record(4, 'train/error', 42),
      record(4, 'train/error', 49.9, 'plain'),
    ]);
    // Epochs 1 and 2 of 2 over 38 to 388; 90% to 40% over 12 to 206.
    expect(page).toContain('<g class="resnet"><path class="line" d="M213,50.8L388,198.2"/>');
    expect(page).toContain('<g class="plain"><path class="line" d="M213,12L388,167.6"/>');
    expect(page).toContain('aria-label="Train error, % (percent) by epoch: ResNet-20 ends at 42.0%, Plain-20 ends at 49.9%"');
  });

  test('breaks a line off where a value is no number, and leaves out a chart without any', async () => {
    const page = await render([record(2, 'train/loss', 2), record(4, 'train/loss', Number.NaN), record(6, 'train/loss', 1)]);
    expect(page.match(/<path class="line" d="M[\d.]+,[\d.]+"\/>/g)).toHaveLength(2);
    expect(page).not.toContain('<h3>Test accuracy, %</h3>');
    expect(page).not.toContain('NaN');
  });

  test('shows one model without a gap', async () => {
    const page = await render([], {
      models: { plain: model },
      gap: { train_error: null, val_accuracy: null, test_accuracy: null },
    });
    expect(page).toContain('<h1><span class="nobreak">Plain-20</span> on shapes10</h1>');
    expect(page).not.toContain('Gap in train error');
  });

  test('of a run that made no step has no curves', async () => {
    expect(await render([], { steps: 0, epochs: 0 })).toContain('No step was completed.');
  });

  test('of a long run has at most 50 rows, the last epoch among them', async () => {
    const page = await render(Array.from({ length: 320 }, (_, at) => record(at + 1, 'train/error', 50)));
    const rows = [...page.matchAll(/<th scope="row">(\d+)<\/th>/g)].map(([, epoch]) => Number(epoch));
    expect(rows.length).toBeLessThanOrEqual(50);
    expect([rows[0], rows.at(-1)]).toEqual([4, 160]);
  });
});

test('steps become the mean of their epoch, with thinned steps behind it', async () => {
  const records = Array.from({ length: 1200 }, (_, at) => ({
    ...record(at + 1, 'train/loss', at % 10),
    epoch: at < 600 ? 1 : 2,
  }));
  const { epochs, steps } = (await collectSeries(stream(records))).get('resnet/train/loss')!;
  expect(epochs.map(({ epoch, step, value }) => [epoch, step, value].map((number) => Number(number.toFixed(6))))).toEqual([
    [1, 300.5, 4.5],
    [2, 900.5, 4.5],
  ]);
  expect(steps).toHaveLength(120);
  expect(steps[0]).toEqual({ step: 5.5, value: 4.5 });
});

test('what is recorded once an epoch is shown as it is', async () => {
  const records = [record(2, 'val/accuracy', 40), record(4, 'val/accuracy', 50)];
  expect((await collectSeries(stream(records))).get('resnet/val/accuracy')).toEqual({
    epochs: [
      { epoch: 1, step: 2, value: 40 },
      { epoch: 2, step: 4, value: 50 },
    ],
    steps: [],
  });
});

test('markup escapes texts and keeps markup', () => {
  const inner = markup`<b>${'<&>"\''}</b>`;
  expect(markup`${[inner, 1, undefined, 'x']}`.text).toBe('<b>&lt;&amp;&gt;&quot;&#39;</b>1x');
});

describe('numbers', () => {
  test('ticks are round, within the domain, and written with the digits they need', () => {
    const scale = linearScale({ domain: [0, 0.3], range: [0, 30], steps: 3 });
    expect(scale.ticks.map(scale.label)).toEqual(['0', '0.1', '0.2', '0.3']);
    expect(scale.at(0.15)).toBeCloseTo(15);
    const wide = linearScale({ domain: [-3, 17], range: [100, 0], steps: 5, nice: true });
    expect(wide.ticks.map(wide.label)).toEqual(['−5', '0', '5', '10', '15', '20']);
    expect([wide.at(-5), wide.at(20)]).toEqual([100, 0]);
    expect(linearScale({ domain: [0, 2], range: [0, 1], steps: 6, wholeNumbers: true }).ticks).toEqual([0, 1, 2]);
    expect(linearScale({ domain: [3, 3], range: [0, 1], steps: 5 }).at(3)).toBe(0.5);
  });

  test.each([
    [percent(57.14), '57.1%'],
    [percent(null), '–'],
    [signed(7.94), '+7.9'],
    [signed(-0.44), '−0.4'],
    [signed(-0.01), '0.0'],
    [signed(null), '–'],
    [count(11_173_962), '11,173,962'],
    [large(1_113_000_000), '1.11 G'],
    [large(999), '999'],
    [duration(59.6), '1:00'],
    [duration(3727), '1:02:07'],
    [commandLine(['a b', "c'd", '--x=1', '']), `'a b' 'c'\\''d' --x=1 ''`],
  ])('are written so that people can read them: %s', (written, expected) => {
    expect(written).toBe(expected);
  });
});
