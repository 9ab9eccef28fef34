import { RunConfigSchema } from '@trainer/protocol';
import { expect, test } from 'vitest';
import { fieldOf, flagOf, nameOf, OPTION_NAMES, OPTIONS, optionsOf } from './options.js';

test('the flags of trainer start change only on purpose', () => {
  expect(optionsOf('start').map(flagOf).join(' ')).toBe(
    [
      '--model --arch --depth --width --shortcut --attention --norm --zero-gamma --data --limit-train --limit-test --val-split',
      '--skip-bad-images --init --freeze --preset --epochs --max-steps --max-time --target-acc --batch-size --lr --momentum',
      '--weight-decay --schedule --warmup --label-smoothing --no-decay-norm --accumulate --sync-bn --precision --engine --seed',
      '--deterministic --gpus --workers --wire --keep --checkpoint-every --commit-every --max-restarts --deadline --seeds --out --name --tags --notes --resume --config --print-config --dry-run --fast-dev-run --quiet',
      '--verbose --json --no-progress --color',
    ].join(' '),
  );
});

test('the flags of the other commands change only on purpose', () => {
  expect(optionsOf('setup').map(flagOf)).toEqual(['--variant', '--quiet', '--verbose', '--no-progress', '--color']);
  expect(optionsOf('doctor').map(flagOf)).toEqual(['--quiet', '--verbose', '--json', '--color']);
  expect(optionsOf('bench step').map(flagOf)).toEqual([
    ...['--depth', '--batch-size', '--precision', '--engine', '--steps', '--quiet', '--verbose', '--json', '--color'],
  ]);
  expect(optionsOf('bench allreduce').map(flagOf)).toEqual([
    ...['--wire', '--ranks', '--floats', '--quiet', '--verbose', '--json', '--color'],
  ]);
  expect(optionsOf('bench scaling').map(flagOf)).toEqual([
    ...['--depth', '--batch-size', '--precision', '--wire', '--steps', '--ranks', '--device-ms'],
    ...['--quiet', '--verbose', '--json', '--color'],
  ]);
});

test("the options of the configuration are exactly the configuration's fields", () => {
  const fields = OPTION_NAMES.filter((name) => OPTIONS[name].scope === 'config').map(fieldOf);
  expect(fields.toSorted()).toEqual(Object.keys(RunConfigSchema.shape).toSorted());
});

test('every option of a run or of output has a default', () => {
  const without = OPTION_NAMES.filter((name) => OPTIONS[name].scope !== 'config' && OPTIONS[name].default === undefined);
  expect(without).toEqual([]);
});

test.each(['batch-size', 'batch_size', 'batchSize'])('a file may call an option %s', (key) => {
  expect(nameOf(key)).toBe('batch-size');
});

test('names and fields turn into each other', () => {
  expect(OPTION_NAMES.filter((name) => nameOf(fieldOf(name)) !== name)).toEqual([]);
});

test('no short flag stands for two options', () => {
  const letters = OPTION_NAMES.map((name) => OPTIONS[name].short).filter((letter) => letter !== undefined);
  expect(new Set(letters).size).toBe(letters.length);
});
