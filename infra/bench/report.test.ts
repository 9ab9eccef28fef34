import { describe, expect, test } from 'vitest';
import { asTable, median, summarize } from './report.mjs';

const run = (name: string, round: number, speed: number) => ({
  depth: 20,
  precision: 'fp32',
  name,
  round,
  result: { images_per_sec_median: speed, images_per_sec_best: speed + 1, peak_rss_mb: 100 * round },
});
const RUNS = [
  run('PyTorch eager', 1, 100),
  run('PyTorch compile', 1, 80),
  run('trainer', 1, 150),
  run('PyTorch eager', 2, 90),
  run('PyTorch compile', 2, 120),
  run('trainer', 2, 132),
];

describe('summarize', () => {
  test("the ratio is the median of each round's, against the best rival of that round", () => {
    expect(summarize(RUNS)).toMatchObject([{ ratio: 1.3, ratio_lowest: 1.1, ratio_highest: 1.5 }]);
  });

  test('engines keep their order, with the median speed, the best and the most memory of all rounds', () => {
    const [{ engines }] = summarize(RUNS) as [{ engines: unknown[] }];
    expect(engines).toEqual([
      { name: 'PyTorch eager', images_per_sec_median: 95, images_per_sec_best: 101, peak_rss_mb: 200, rounds: 2 },
      { name: 'PyTorch compile', images_per_sec_median: 100, images_per_sec_best: 121, peak_rss_mb: 200, rounds: 2 },
      { name: 'trainer', images_per_sec_median: 141, images_per_sec_best: 151, peak_rss_mb: 200, rounds: 2 },
    ]);
  });

  test('there is no ratio where a side did not run', () => {
    expect(summarize(RUNS.filter((r) => r.name === 'trainer'))[0]).not.toHaveProperty('ratio');
  });
});

test('the table has a row a case, and says what it did not run', () => {
  const summary = { machine: 'a machine', rounds: 2, batch_size: 128, cases: summarize(RUNS), quoted: '150 img/s' };
  expect(asTable(summary)).toBe(
    [
      'a machine; batch 128; medians of 2 rounds, lowest and highest ratio of a round in brackets',
      '',
      '| img/s (peak memory) | PyTorch eager | PyTorch compile | trainer | trainer / best rival |',
      '| --- | --- | --- | --- | --- |',
      '| ResNet-20 fp32 | 95 (200 MB) | 100 (200 MB) | 141 (200 MB) | 1.3 (1.1-1.5) |',
      '',
      "tf.layers on the package's own binary was not run here; measured elsewhere: 150 img/s.",
      '',
    ].join('\n'),
  );
});

test('the median of an even number of values is the mean of the middle two', () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2])]).toEqual([2, 2.5]);
});
