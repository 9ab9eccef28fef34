import { expect, test } from 'vitest';
import { didYouMean, nearest } from './suggest.js';

const known = ['--depth', '--epochs', '--batch-size', '--lr'];

test.each([
  ['a missing letter', '--epoch', '--epochs'],
  ['swapped letters', '--dpeth', '--depth'],
  ['a missing hyphen', '--batchsize', '--batch-size'],
  ['two mistakes in a long name', '--bach-siez', '--batch-size'],
])('%s leads to the right name', (_, typed, right) => {
  expect(nearest(typed, known)).toBe(right);
});

test('nothing is suggested for a word that is like no name', () => {
  expect(didYouMean('--workers', known)).toBe('');
});
