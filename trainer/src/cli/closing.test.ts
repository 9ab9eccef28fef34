import type { RunConfig, RunSummary } from '@trainer/protocol';
import { expect, test } from 'vitest';
import { DEFAULTS, PRESETS } from '../settings/presets.js';
import { closingLines } from './closing.js';

const config: RunConfig = {
  ...structuredClone(DEFAULTS as unknown as RunConfig),
  ...PRESETS.full,
  arch: 'imagenet',
  preset: 'full',
};
const lines = (changes: Partial<RunConfig> = {}, status: RunSummary['status'] = 'finished', seeds = 1, env = {}) =>
  closingLines({ config: { ...config, ...changes }, status, path: 'runs/a', seeds, env });

test('a quick run is told apart from a full one', () => {
  expect(lines({ preset: 'quick' })[0]).toBe('short run: speed of learning, not final accuracy');
  expect(lines()).toEqual(['run:  runs/a', 'next: trainer start --depth 34']);
});

test.each<[string, Partial<RunConfig>, RunSummary['status'], number, string]>([
  ['a deeper pair', { arch: 'cifar', depth: 20 }, 'finished', 1, '--depth 56'],
  ['the deepest pair', { arch: 'cifar', depth: 56 }, 'finished', 1, '--depth 110'],
  ['more seeds at the deepest', { arch: 'cifar', depth: 110 }, 'finished', 1, '--depth 110 --seeds 3'],
  ["the paper's recipe after all that", { arch: 'cifar', depth: 110 }, 'finished', 3, '--preset he'],
  ['the same data', { data: 'my pictures/x' }, 'finished', 1, "--depth 34 --data 'my pictures/x'"],
  ['going on', {}, 'interrupted', 1, '--resume runs/a'],
  ['a lower rate after a divergence', {}, 'diverged', 1, '--depth 18 --lr 0.01'],
])('what to try next is %s', (_, changes, status, seeds, flags) => {
  expect(lines(changes, status, seeds).at(-1)).toBe(`next: trainer start ${flags}`);
});

test('who came by npm start is answered in its terms', () => {
  expect(lines({}, 'finished', 1, { npm_lifecycle_event: 'start' }).at(-1)).toBe('next: npm start -- --depth 34');
});
