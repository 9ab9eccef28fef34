import type { ModelCost, RunSummary } from '@trainer/protocol';
import { expect, test } from 'vitest';
import { costTable, finalTable, seedsTable } from './tables.js';

const plain: ModelCost = { side: 'plain', title: 'Plain-20', parameters: 5722, flops: 5_722_000, layers: 3, projections: 0 };
const resnet: ModelCost = { ...plain, side: 'resnet', title: 'ResNet-20' };

test('the cost table shows both models and in what they differ', () => {
  const projected = { ...resnet, parameters: 6234, flops: 6_234_000, projections: 1 };
  expect(costTable([projected, plain]).split('\n')).toEqual([
    '                                        ResNet-20   Plain-20',
    'parameters                                  6,234      5,722',
    'MFLOPs per image, forward                     6.2        5.7',
    'convolutions and dense layers   3 + 1 projections          3',
    'fair: the same seed, the same batches in the same order, the same first values in every layer that both have;',
    '      the residual net has 512 parameters more (8.9%) in its shortcuts',
  ]);
});

test('shortcuts that cost nothing are said to', () => {
  expect(costTable([resnet, plain])).toContain('\n      as many parameters');
});

test('one model alone is compared with nothing', () => {
  expect(costTable([plain])).not.toContain('fair');
});

function summary(resnet: [number, number | null, number], plain: [number, number | null, number]): RunSummary {
  const side = ([train_error, val_accuracy, test_accuracy]: typeof resnet) => ({
    ...{ train_error, val_accuracy, test_accuracy },
    ...{ best_epoch: 6, parameters: 270_000, flops: 8e7, images_per_sec: 940.4 },
  });
  const validated = resnet[1] !== null && plain[1] !== null;
  return {
    ...{
      status: 'finished',
      preset: 'quick',
      epochs: 6,
      steps: 474,
      seconds: 124.2,
      engine: 'TensorFlow 2.21',
      dataset: 'cifar10',
    },
    models: { resnet: side(resnet), plain: side(plain) },
    gap: {
      train_error: plain[0] - resnet[0],
      val_accuracy: validated ? resnet[1]! - plain[1]! : null,
      test_accuracy: resnet[2] - plain[2],
    },
  };
}
const config = { depth: 20 };

test('the final table shows both models, the gap, and what the run took', () => {
  expect(finalTable({ summary: summary([42, 55.1, 54], [49.9, 49, 48.5]), config }).split('\n')).toEqual([
    '                      ResNet-20   Plain-20    gap',
    'train error               42.0%      49.9%   +7.9',
    'validation accuracy       55.1%      49.0%   +6.1',
    'test accuracy             54.0%      48.5%   +5.5',
    'best epoch                    6          6',
    'images/s                    940        940',
    '6 epochs (474 steps) in 2:04 on TensorFlow 2.21, cifar10',
  ]);
});

test('what was not measured is left open', () => {
  const table = finalTable({ summary: summary([42, null, 54], [49.9, null, 48.5]), config });
  expect(table).toMatch(/^validation accuracy +- +- +-$/m);
});

test('one model alone has no gap', () => {
  const { models, ...rest } = summary([42, 55.1, 54], [49.9, 49, 48.5]);
  const table = finalTable({ summary: { ...rest, models: { plain: models.plain! }, epochs: 1, steps: 1 }, config });
  expect(table).toMatch(/^ +Plain-20$/m);
  expect(table).not.toMatch(/gap|\+/);
  expect(table).toContain('1 epoch (1 step) in');
});

test('several seeds are shown by mean and deviation', () => {
  const runs = [summary([40, 55, 54], [50, 47, 49]), summary([42, 56, 54], [51, 48, 49]), summary([44, 57, 54], [52, 49, 49])];
  // Deviations by n - 1: of 40, 42, 44 it is 2; of the gaps 10, 9, 8 it is 1.
  expect(seedsTable(runs.map((each) => ({ summary: each, config }))).split('\n')).toEqual([
    '                         ResNet-20       Plain-20           gap',
    'train error           42.0% sd 2.0   51.0% sd 1.0   +9.0 sd 1.0',
    'validation accuracy   56.0% sd 1.0   48.0% sd 1.0   +8.0 sd 0.0',
    'test accuracy         54.0% sd 0.0   49.0% sd 0.0   +5.0 sd 0.0',
    'mean and standard deviation (sd) over 3 seeds',
  ]);
});
