import type { RunConfig } from '@trainer/protocol';
import { describe, expect, test } from 'vitest';
import { chooseRanks, type Machine } from './ranks.js';

type Asked = Pick<RunConfig, 'workers' | 'gpus' | 'engine'>;

const gpu = (index: number, name: string) => ({ index, name, memoryMegabytes: 80_000, driver: '580' });
const cpu: Machine = { gpus: [], cpu: { model: 'AMD EPYC', cores: 8 }, library: 'cpu' };
const twoGpus: Machine = { ...cpu, gpus: [gpu(5, 'NVIDIA H100'), gpu(3, 'NVIDIA H200')], library: 'gpu' };
const plan = (asked: Partial<Asked>, machine: Machine) =>
  chooseRanks({ workers: null, gpus: null, engine: 'auto', ...asked }, machine);
const names = (asked: Partial<Asked>, machine: Machine) => plan(asked, machine).devices.map(({ device }) => device);
const threads = (workers: number, cores: number) =>
  plan({ workers }, { ...cpu, cpu: { model: 'AMD EPYC', cores } }).devices.map(({ intraOpThreads }) => intraOpThreads);

describe('without a word', () => {
  test('one rank has all cores, as many threads as the engine takes', () => {
    expect(plan({}, cpu)).toEqual({
      devices: [{ device: '/device:CPU:0', name: 'AMD EPYC, 8 cores' }],
      gpu: false,
      notices: [],
    });
  });

  test('one rank has the first GPU where the library can use it', () => {
    expect(plan({}, twoGpus)).toEqual({
      devices: [{ device: '/device:GPU:0', name: 'NVIDIA H100' }],
      gpu: true,
      notices: [],
    });
  });

  test.each<[string, Partial<Asked>, Machine['library']]>([
    ['TensorFlow’s library for CPUs is installed', {}, 'cpu'],
    ['no library is installed', {}, undefined],
    ['WebAssembly is asked for', { engine: 'wasm' }, 'gpu'],
  ])('GPUs stay idle where %s', (_, asked, library) => {
    expect(names(asked, { ...twoGpus, library })).toEqual(['/device:CPU:0']);
  });
});

describe('--gpus', () => {
  test.each([
    ['all', ['/device:GPU:0', '/device:GPU:1']],
    ['1', ['/device:GPU:0']],
    ['2', ['/device:GPU:0', '/device:GPU:1']],
    ['1,', ['/device:GPU:1']],
    ['1,0', ['/device:GPU:1', '/device:GPU:0']],
  ])('%s has a rank on each, numbered as TensorFlow does', (gpus, devices) => {
    expect(names({ gpus }, twoGpus)).toEqual(devices);
  });

  test.each<[string, Machine, string]>([
    [
      '4',
      twoGpus,
      '--gpus 4: 2 GPUs were found (0: NVIDIA H100; 1: NVIDIA H200): run "trainer start --gpus 2" or "trainer start --workers 8"',
    ],
    [
      '0,2',
      { ...twoGpus, gpus: twoGpus.gpus.slice(0, 1), visible: '5' },
      '--gpus 0,2: 1 GPU was found (0: NVIDIA H100; CUDA_VISIBLE_DEVICES=5): run "trainer start --gpus 1" or "trainer start --workers 8"',
    ],
    ['all', cpu, '--gpus all: no GPU was found: run "trainer start --workers 8"'],
    ['1', { ...cpu, visible: '' }, '--gpus 1: no GPU was found (CUDA_VISIBLE_DEVICES=): run "trainer start --workers 8"'],
    [
      '2',
      { ...twoGpus, library: 'cpu' },
      '--gpus 2: TensorFlow\'s library for GPUs is not installed: run "trainer setup --variant gpu" or "trainer start --workers 8"',
    ],
  ])('%s that cannot be had is refused: exit code 3, with what works', (gpus, machine, message) => {
    expect(() => plan({ gpus }, machine)).toThrow(expect.objectContaining({ exitCode: 3, message }));
  });
});

describe('--workers', () => {
  test.each([
    [2, 2, [1, 1]],
    [2, 8, [4, 4]],
    [3, 8, [3, 3, 2]],
    [5, 8, [2, 2, 2, 1, 1]],
    [3, 2, [1, 1, 1]],
    [1, 8, [undefined]],
  ])('%i on %i cores share them fairly', (workers, cores, shares) => {
    expect(threads(workers, cores)).toEqual(shares);
  });

  test('are on the CPU where there are GPUs too', () => {
    expect(plan({ workers: 2 }, twoGpus)).toMatchObject({ gpu: false, devices: [{ device: '/device:CPU:0' }, {}] });
  });

  test('of more than one exchange takes are refused', () => {
    expect(plan({ workers: 32 }, cpu).devices).toHaveLength(32);
    expect(() => plan({ workers: 33 }, cpu)).toThrow(
      expect.objectContaining({ exitCode: 2, message: expect.stringContaining('at most 32') }),
    );
  });

  test('of more than there are cores come with a word', () => {
    expect(plan({ workers: 9 }, cpu).notices).toEqual(['9 workers share 8 cores, and take turns: more than 8 are no faster']);
    expect(plan({ workers: 8 }, cpu).notices).toEqual([]);
  });
});
