import { describe, expect, it } from 'vitest';
import { formatGpus, type GpuRequest, parseGpus } from './gpus.js';

describe('--gpus', () => {
  it.each<[string, GpuRequest, string]>([
    ['all', 'all', 'all'],
    ['ALL', 'all', 'all'],
    ['2', { count: 2 }, '2'],
    ['0,2', { indices: [0, 2] }, '0,2'],
    ['2, 0', { indices: [2, 0] }, '2,0'],
    ['2,', { indices: [2] }, '2,'],
    ['0,1,', { indices: [0, 1] }, '0,1'],
  ])('%s is read, and has one spelling', (text, request, spelling) => {
    expect(parseGpus(text)).toEqual(request);
    expect(formatGpus(request)).toBe(spelling);
    expect(parseGpus(spelling)).toEqual(request);
  });

  it.each(['', '0', '-1', '1.5', 'two', ',', ',1', '0,,1', '0,0', '1,x', 'all,1', '99999'])('%j is refused', (text) => {
    expect(parseGpus(text)).toBeUndefined();
  });
});
