import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunConfig, Start } from '@trainer/protocol';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoints } from '../report/checkpoints.js';
import { findResumable } from '../report/resume.js';
import { createRun } from '../report/run-folder.js';
import { testCheckpoint } from '../report/test-checkpoint.js';
import { testConfig } from '../report/test-config.js';
import type { Teller } from './contract.js';
import { findRun } from './resume.js';

const SAVED = testConfig({ workers: 2, maxTime: 60 });
let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'resume-'));
  const metadata = {
    commandLine: [],
    engine: 'wasm',
    library: '',
    devices: [],
    seeds: [7],
    dataset: { name: '', origin: '', hash: '' },
    initHash: {},
    tags: [],
    notes: '',
  };
  const run = await createRun({ out: folder, name: 'run', config: SAVED, metadata });
  path = run.path;
  await (await openCheckpoints({ runPath: path, keep: 3 })).save(testCheckpoint(4), { best: false });
  await run.close();
});
afterAll(() => rm(folder, { recursive: true }));

const notices: string[] = [];
const teller = { notice: (line: string) => void notices.push(line) } as Teller;

/** `trainer start --resume last`, with this said anew. */
function resume(config: Partial<RunConfig>, restart: Start['restart'] = null) {
  const run = { resume: restart ? null : 'last', out: folder } as Start['run'];
  const origins = Object.fromEntries(Object.keys(config).map((field) => [field, `flag --${field}`]));
  return findRun({ config, origins, run, restart, commandLine: [], firstSeed: 0, replay: [] }, teller, { findResumable });
}

describe('the run to go on with', () => {
  it('is none where none is asked for', async () => {
    expect(
      await findRun({ config: {}, run: { resume: null }, restart: null } as Start, teller, { findResumable }),
    ).toBeUndefined();
  });

  it('has the settings that it began with', async () => {
    expect(await resume({})).toMatchObject({ path, config: SAVED, checkpoint: { state: { step: 4 } } });
    expect(notices.at(-1)).toBe(`going on with ${path} after step 4, from ${join(path, 'checkpoints', '4')}`);
  });

  it('may be told anew where it ends, what it keeps, and what it runs on', async () => {
    const anew = { maxTime: 90, targetAcc: 94, keep: 1, checkpointEvery: 2, engine: 'wasm', data: 'elsewhere' } as const;
    expect((await resume(anew))!.config).toEqual({ ...SAVED, ...anew });
  });

  it('leaves the workers that it had for GPUs, and the other way round', async () => {
    expect((await resume({ gpus: '4' }))!.config).toMatchObject({ gpus: '4', workers: null });
    expect((await resume({ workers: 3 }))!.config).toMatchObject({ gpus: null, workers: 3 });
  });

  it('takes what was said again, and refuses what would change its numbers', async () => {
    expect((await resume({ lr: SAVED.lr }))!.config).toEqual(SAVED);
    for (const [changed, named] of [
      [{ lr: 0.2 }, /^lr 0\.2 \(flag --lr\): the run to go on with has 0\.1; leave it out/],
      [{ wire: 'bf16' }, /^wire "bf16"/],
      [{ syncBn: true }, /^sync-bn true/],
      [{ accumulate: 2 }, /^accumulate 2/],
      [{ model: ['plain'] }, /^model \["plain"\]/],
    ] as const)
      await expect(resume(changed as Partial<RunConfig>)).rejects.toMatchObject({
        exitCode: 2,
        message: expect.stringMatching(named),
      });
  });

  it('refuses more ranks than its batches have images for', async () => {
    await expect(resume({ workers: 200 })).rejects.toThrow(
      "batch-size 128 (the run's config.yaml) is less than an image for each of 200 ranks",
    );
  });

  it('is the one that a coordinator before left, as it is, whatever had been said', async () => {
    expect(await resume({ lr: 0.2 }, { path })).toMatchObject({ path, config: SAVED });
  });
});
