// Checkpoints against what really happens to processes and disks: SIGKILL at every file operation, flipped bits, cut files.
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { randomStream } from '../../trainer/src/random.js';
import { newestCheckpoint } from '../../trainer/src/report/checkpoint-list.js';
import { CheckpointStore } from '../../trainer/src/report/checkpoint-store.js';
import { unsyncedFileSystem } from '../../trainer/src/report/faulty-file-system.js';
import { testCheckpoint } from '../../trainer/src/report/test-checkpoint.js';

const WRITER = new URL('checkpoint-writer.mjs', import.meta.url).pathname;

let run: string;
let folder: string;
beforeEach(async () => {
  run = await fs.mkdtemp(path.join(os.tmpdir(), 'checkpoints-'));
  folder = path.join(run, 'checkpoints');
});
afterEach(() => fs.rm(run, { recursive: true, force: true }));

const save = async (step: number, checkpoints = folder): Promise<void> => {
  const store = await CheckpointStore.open({ fileSystem: unsyncedFileSystem, folder: checkpoints, keep: 2 });
  await store.save(testCheckpoint(step), { best: false });
};
const newest = async (checkpoints = folder) => {
  const notices: string[] = [];
  const { checkpoint } = await newestCheckpoint(unsyncedFileSystem, checkpoints, (line) => notices.push(line));
  return { checkpoint, notices };
};

/** Whether the writer was killed before its end. */
const saveKilledAt = (checkpoints: string, operation: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [WRITER, checkpoints, '30', String(operation)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (signal === 'SIGKILL') resolve(true);
      else if (code === 0) resolve(false);
      else reject(new Error(`the writer ended with ${code ?? signal}`));
    });
  });

test('kill -9 at every file operation of a save leaves the checkpoint before or the new one, whole', async () => {
  for (const step of [10, 20]) await save(step);
  const trial = async (operation: number): Promise<{ killed: boolean; step: number }> => {
    const copy = path.join(run, `trial-${operation}`, 'checkpoints');
    await fs.cp(folder, copy, { recursive: true });
    const killed = await saveKilledAt(copy, operation);
    const { checkpoint, notices } = await newest(copy);
    expect(notices).toEqual([]);
    expect(checkpoint).toEqual(testCheckpoint(checkpoint.state.step));
    await save(30, copy);
    expect(await newest(copy)).toEqual({ checkpoint: testCheckpoint(30), notices: [] });
    expect((await fs.readdir(copy)).sort()).toEqual(['20', '30', 'index.json']);
    return { killed, step: checkpoint.state.step };
  };
  const steps = new Set<number>();
  let operations = 0;
  for (let more = true; more; operations += 2) {
    const results = await Promise.all([trial(operations), trial(operations + 1)]);
    for (const { step } of results) steps.add(step);
    more = results.every(({ killed }) => killed);
  }
  expect(operations).toBeGreaterThan(40);
  expect(steps).toEqual(new Set([20, 30]));
});

test('1,000 flipped bits and cut files are all refused, and the checkpoint before is used with a notice', async () => {
  for (const step of [10, 20]) await save(step);
  const random = randomStream(11, 'damage');
  const names = (await fs.readdir(path.join(folder, '20'))).sort();
  expect(names).toHaveLength(6);
  for (let trial = 0; trial < 1000; trial++) {
    const name = names[trial % names.length]!;
    const place = path.join(folder, '20', name);
    const whole = await fs.readFile(place);
    const damaged = Buffer.from(whole);
    const cut = random.below(4) === 0;
    const at = random.below(whole.length);
    if (!cut) damaged[at] = damaged[at]! ^ (1 << random.below(8));
    await fs.writeFile(place, cut ? damaged.subarray(0, at) : damaged);
    const { checkpoint, notices } = await newest();
    expect({ step: checkpoint.state.step, notices, name, cut, at }).toEqual({
      step: 10,
      notices: [expect.stringMatching(/^the checkpoint \S+ is damaged \(.+\): passed over$/)],
      name,
      cut,
      at,
    });
    await fs.writeFile(place, whole);
  }
  expect(await newest()).toEqual({ checkpoint: testCheckpoint(20), notices: [] });
});
