import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newestCheckpoint } from './checkpoint-list.js';
import { CheckpointStore } from './checkpoint-store.js';
import { openCommits } from './checkpoints.js';
import { nodeFileSystem } from './file-system.js';
import { asFloatTensor, decodeSafetensors } from './safetensors.js';
import { testCheckpoint } from './test-checkpoint.js';

let run: string;
let folder: string;
beforeEach(async () => {
  run = await fs.mkdtemp(path.join(os.tmpdir(), 'checkpoints-'));
  folder = path.join(run, 'checkpoints');
});
afterEach(() => fs.rm(run, { recursive: true, force: true }));

const open = (): Promise<CheckpointStore> => CheckpointStore.open({ fileSystem: nodeFileSystem, folder, keep: 2 });
const newest = async () => {
  const notices: string[] = [];
  const found = await newestCheckpoint(nodeFileSystem, run, (line) => notices.push(line));
  return { ...found, notices };
};
const index = async (): Promise<unknown> => JSON.parse(await fs.readFile(path.join(folder, 'index.json'), 'utf8'));

describe('saving', () => {
  test('what is saved is read back exactly', async () => {
    const store = await open();
    expect(await store.save(testCheckpoint(10), { best: false })).toBe(path.join(folder, '10'));
    expect(await newest()).toEqual({ path: path.join(folder, '10'), checkpoint: testCheckpoint(10), notices: [] });
  });

  test('the folder holds the pair, the state and a manifest; weights have torchvision’s layout', async () => {
    await (await open()).save(testCheckpoint(10), { best: true });
    expect((await fs.readdir(path.join(folder, '10'))).sort()).toEqual([
      'manifest.json',
      'plain.optim.safetensors',
      'plain.safetensors',
      'resnet.optim.safetensors',
      'resnet.safetensors',
      'state.json',
    ]);
    const { tensors, metadata } = decodeSafetensors(await fs.readFile(path.join(folder, '10', 'resnet.safetensors')), 'file');
    expect(metadata).toEqual({ format: 'pt' });
    const { shape, data } = asFloatTensor(tensors['conv1.weight']!, 'conv1.weight');
    expect(shape).toEqual([4, 2, 3, 3]);
    // The second value of OIHW is one step along W: 8 values further in HWIO.
    expect([data[0], data[1]]).toEqual([10, 11]);
  });

  test('the newest stay, the best stays, others go', async () => {
    const store = await open();
    for (const step of [10, 20, 30, 40, 50]) await store.save(testCheckpoint(step), { best: step === 20 });
    expect((await fs.readdir(folder)).sort()).toEqual(['20', '40', '50', 'index.json']);
    expect(await index()).toEqual({ last: '50', best: '20', checkpoints: ['20', '40', '50'] });
  });

  test('a store opened again knows the best', async () => {
    await (await open()).save(testCheckpoint(10), { best: true });
    const store = await open();
    for (const step of [20, 30, 40]) await store.save(testCheckpoint(step), { best: false });
    expect(await index()).toEqual({ last: '40', best: '10', checkpoints: ['10', '30', '40'] });
  });

  test('a step saved again is replaced, and stays the best', async () => {
    const store = await open();
    await store.save(testCheckpoint(10), { best: true });
    await store.save(testCheckpoint(10, 3), { best: false });
    expect((await newest()).checkpoint).toEqual(testCheckpoint(10, 3));
    expect(await index()).toEqual({ last: '10', best: '10', checkpoints: ['10'] });
  });

  test('others have their turn at least once a MiB', async () => {
    const data = new Float32Array(4 << 20);
    const { state, models } = testCheckpoint(10);
    const large = { values: { weight: { shape: [data.length], data } }, velocities: {} };
    const store = await open();
    let turns = 0;
    const count = (): void => {
      turns++;
      turn = setImmediate(count);
    };
    let turn = setImmediate(count);
    await store.save({ state, models: { ...models, resnet: large } }, { best: false });
    clearImmediate(turn);
    expect(turns).toBeGreaterThanOrEqual(data.byteLength >> 20);
  });

  test('opened up to a step, later checkpoints are removed', async () => {
    const store = await open();
    for (const step of [10, 20]) await store.save(testCheckpoint(step), { best: false });
    await CheckpointStore.open({ fileSystem: nodeFileSystem, folder, keep: 2, upToStep: 10 });
    expect((await newest()).checkpoint.state.step).toBe(10);
    expect(await index()).toEqual({ last: '10', best: null, checkpoints: ['10'] });
  });
});

describe('choosing', () => {
  test('where the checkpoint of a step is damaged, its commit is taken', async () => {
    for (const step of [10, 20]) await (await open()).save(testCheckpoint(step), { best: false });
    await (await openCommits({ runPath: run })).save(testCheckpoint(20));
    await fs.truncate(path.join(folder, '20', 'plain.safetensors'), 100);
    const { path: place, notices } = await newest();
    expect(place).toBe(path.join(run, 'commits', '20'));
    expect(notices).toHaveLength(1);
  });

  test('no checkpoint: exit code 5', async () => {
    await expect(newest()).rejects.toMatchObject({
      exitCode: 5,
      message: `${run} has no checkpoint to go on from: start the run again`,
    });
  });

  test('a folder without manifest is passed over with a notice', async () => {
    const store = await open();
    for (const step of [10, 20]) await store.save(testCheckpoint(step), { best: false });
    await fs.rm(path.join(folder, '20', 'manifest.json'));
    const { checkpoint, notices } = await newest();
    expect(checkpoint).toEqual(testCheckpoint(10));
    expect(notices).toEqual([`the checkpoint ${path.join(folder, '20')} is damaged (manifest.json is missing): passed over`]);
  });

  test('a folder under another step’s name is passed over', async () => {
    const store = await open();
    for (const step of [10, 20]) await store.save(testCheckpoint(step), { best: false });
    await fs.rename(path.join(folder, '20'), path.join(folder, '200'));
    expect((await newest()).notices).toEqual([
      `the checkpoint ${path.join(folder, '200')} is damaged (it holds step 20): passed over`,
    ]);
  });

  test('all damaged: exit code 3', async () => {
    await (await open()).save(testCheckpoint(10), { best: false });
    await fs.truncate(path.join(folder, '10', 'plain.safetensors'), 100);
    await expect(newest()).rejects.toMatchObject({
      exitCode: 3,
      message: `every checkpoint of ${run} is damaged: start the run again`,
    });
  });
});
