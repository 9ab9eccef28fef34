// The GPU library is installed and trained with, on a machine without GPUs as well: 3.3 GB to download, 5.6 GB on disk.
import { statfsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wheelSet } from '../../trainer/src/runtime/wheels.js';
import { writeImageFolder } from '../support/images.js';
import { runTrainer, temporaryFolder } from '../support/trainer.js';

const NEEDED_BYTES = 12e9;
const MINUTES = 60_000;
const { bavail, bsize } = statfsSync(tmpdir());
const fits = wheelSet('gpu') !== undefined && bavail * bsize >= NEEDED_BYTES;

describe.skipIf(!fits)('the GPU library', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let where: { cwd: string; env: NodeJS.ProcessEnv };

  beforeAll(async () => {
    folder = await temporaryFolder();
    where = { cwd: folder.path, env: { TRAINER_CACHE_DIR: join(folder.path, 'cache') } };
    await writeImageFolder(join(folder.path, 'images'), { train: 36, test: 10 });
    const setup = await runTrainer(['setup', '--variant', 'gpu'], where);
    expect(setup, setup.stderr).toMatchObject({ code: 0 });
  }, 30 * MINUTES);
  afterAll(() => folder?.remove());

  it('lies in the cache with the CUDA libraries beside it, and nothing else', async () => {
    const cache = join(folder.path, 'cache/tensorflow');
    expect(await readdir(cache)).toEqual([expect.stringMatching(/-gpu$/)]);
    const [root] = await readdir(cache);
    expect(await readdir(join(cache, root!, 'nvidia'))).toEqual(
      expect.arrayContaining(['cublas', 'cuda_runtime', 'cudnn', 'nccl']),
    );
  });

  it('is what the doctor finds', async () => {
    const doctor = await runTrainer(['doctor', '--json'], where);
    expect(doctor, doctor.stdout).toMatchObject({ code: 0 });
    expect(JSON.parse(doctor.stdout)).toMatchObject({ library: { variant: 'gpu' } });
  });

  it('trains', async () => {
    const args = [
      '--data',
      'images',
      '--preset',
      'full',
      '--depth',
      '8',
      '--width',
      '0.25',
      '--batch-size',
      '8',
      '--max-steps',
      '4',
    ];
    const ended = await runTrainer(['start', ...args, '--engine', 'tensorflow', '--json'], where);
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(ended.stdout).models.resnet.images_per_sec).toBeGreaterThan(0);
    expect(ended.stderr).not.toMatch(/cuInit|CUDA error/);
  });
});
