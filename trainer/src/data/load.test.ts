import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadAuto, loadDataset } from './load.js';
import { type Packing, writePack } from './pack.js';
import { SHAPES10_FILE } from './shapes10/shapes10.js';

let cacheDir: string;
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'trainer-load-'));
  // Drawing all 60,000 takes longer than a test may.
  const set = { count: 1, height: 1, width: 1, labels: Int32Array.of(0), images: [Uint8Array.of(1, 2, 3)] };
  const tiny: Packing = { name: 'shapes10', classes: ['a', 'b'], notices: [], skipped: [], train: set, test: set };
  await mkdir(join(cacheDir, 'data'));
  await writePack(join(cacheDir, 'data', SHAPES10_FILE), tiny);
});
afterEach(() => rm(cacheDir, { recursive: true }));

const nowhere = { url: 'http://127.0.0.1:1/', md5: '0'.repeat(32) };

describe('loadDataset', () => {
  it('takes shapes10 from the cache, without drawing it again', async () => {
    const dataset = await loadDataset('shapes10', { cacheDir });
    expect(dataset).toMatchObject({ name: 'shapes10', origin: 'drawn from seed 0', train: { count: 1 } });
  });

  it('takes any other word for a path', async () => {
    await expect(loadDataset('./cifar10', { cacheDir })).rejects.toMatchObject({
      exitCode: 2,
      message: '--data ./cifar10: no such file or folder; give cifar10, shapes10, auto, or the path of a folder or archive',
    });
  });

  it('falls back to shapes10 without a network, and says why', async () => {
    const notices: string[] = [];
    const dataset = await loadAuto({ cacheDir, onNotice: (line) => notices.push(line) }, nowhere);
    expect(dataset.name).toBe('shapes10');
    expect(notices).toEqual([expect.stringMatching(/^CIFAR-10 cannot be downloaded: .*no connection.*shapes10, drawn images/)]);
  });

  it('does not fall back when it is told to stop', async () => {
    const signal = AbortSignal.abort(new Error('interrupted'));
    await expect(loadAuto({ cacheDir, signal }, nowhere)).rejects.toThrow('interrupted');
  });
});
