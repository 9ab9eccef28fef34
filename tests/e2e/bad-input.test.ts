// What a user gets wrong, at the real command: one line that says what, where and how to mend; the documented exit code.
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tarOf, zipBomb } from '../../trainer/src/data/files/test-archives.js';
import { writeImageFolder } from '../support/images.js';
import { runTrainer, temporaryFolder } from '../support/trainer.js';

const folder = await temporaryFolder();
const at = (...parts: string[]): string => join(folder.path, ...parts);
const TINY = ['--preset', 'full', '--depth', '8', '--width', '0.25', '--batch-size', '8', '--epochs', '1', '--engine', 'wasm'];

beforeAll(async () => {
  await writeImageFolder(at('good'), { train: 6, test: 3 });
  await writeImageFolder(at('empty-class'), { train: 6, test: 3 });
  await mkdir(at('empty-class', 'train', 'nothing'));
  await writeImageFolder(at('one-class'), { train: 6, test: 3 });
  for (const part of ['train', 'test'])
    for (const name of ['azure', 'striped']) await rm(at('one-class', part, name), { recursive: true });
  await writeImageFolder(at('broken-image'), { train: 6, test: 3 });
  await writeFile(at('broken-image', 'train', 'amber', '0.png'), 'not an image');
  await writeFile(at('broken.tar.gz'), 'not an archive');
  await writeFile(at('bomb.zip'), zipBomb());
  await writeFile(at('leaving.tar'), tarOf([{ path: 'train/a/0.png' }, { path: '../evil.png', bytes: Buffer.from('evil') }]));
  await writeFile(at('secret.safetensors'), 'unreadable');
  await chmod(at('secret.safetensors'), 0);
  await writeFile(at('bad.yaml'), 'depth: 20\nlr: [1');
  await writeFile(at('file'), '');
  await mkdir(at('read-only'));
  await chmod(at('read-only'), 0o500);
});
afterAll(() => folder.remove());

/** Root may write into any folder, and read any file, but those of the kernel. */
const IS_ROOT = process.getuid?.() === 0 && process.platform === 'linux';
const READ_ONLY = IS_ROOT ? '/sys/trainer-runs' : 'read-only';
const UNREADABLE = IS_ROOT ? '/proc/self/mem' : 'secret.safetensors';

interface Case {
  readonly title: string;
  readonly args: readonly string[];
  readonly code: number;
  readonly line: RegExp;
  readonly env?: NodeJS.ProcessEnv;
}

const start = (...args: string[]): string[] => ['start', ...TINY, ...args];

const CASES: readonly Case[] = [
  { title: 'an unknown flag', args: ['start', '--epoch', '3'], code: 2, line: /--epoch.*--epochs/ },
  { title: 'a wrong type', args: ['start', '--epochs', 'ten'], code: 2, line: /--epochs.*whole number.*ten/ },
  { title: 'an unreadable configuration', args: ['start', '-c', 'bad.yaml'], code: 2, line: /bad\.yaml:2/ },
  { title: 'no such data', args: start('--data', 'nowhere'), code: 2, line: /nowhere/ },
  {
    title: 'a batch larger than the data',
    args: start('--data', 'good', '--batch-size', '64'),
    code: 2,
    line: /batch-size 64.*lower/,
  },
  { title: 'an empty class', args: start('--data', 'empty-class'), code: 2, line: /nothing/ },
  { title: 'one class only', args: start('--data', 'one-class'), code: 2, line: /class/ },
  { title: 'a broken archive', args: start('--data', 'broken.tar.gz'), code: 2, line: /broken\.tar\.gz/ },
  { title: 'a zip bomb', args: start('--data', 'bomb.zip'), code: 2, line: /bomb\.zip.*like a bomb/ },
  {
    title: 'an archive with a path that leaves it',
    args: start('--data', 'leaving.tar'),
    code: 2,
    line: /leaving\.tar.*\.\.\/evil/,
  },
  { title: 'a broken image', args: start('--data', 'broken-image'), code: 2, line: /amber.0\.png.*--skip-bad-images/ },
  { title: 'an out that is a file', args: start('--data', 'good', '--out', 'file'), code: 3, line: /file.*--out/ },
  {
    title: 'a read-only folder',
    args: start('--data', 'good', '--out', READ_ONLY),
    code: 3,
    line: /(read-only|trainer-runs).*--out/,
  },
  {
    title: 'weights that cannot be read',
    args: start('--data', 'good', '--model', 'plain', '--init', UNREADABLE),
    code: 3,
    line: /cannot read .*(secret|mem).*/,
  },
  { title: 'a depth that no network has', args: start('--data', 'good', '--depth', '21'), code: 2, line: /21/ },
  {
    title: 'more GPUs than there are',
    args: ['start', '--data', 'good', '--preset', 'full', '--batch-size', '8', '--gpus', '4'],
    // As on a machine that has none.
    env: { CUDA_VISIBLE_DEVICES: '' },
    code: 3,
    line: /--gpus 4: no GPU was found.*: run "trainer start --workers \d+"$/,
  },
  {
    title: 'fewer images in a batch than workers',
    args: start('--data', 'good', '--batch-size', '2', '--workers', '4'),
    code: 2,
    line: /batch-size 2 .*each of 4 ranks: raise --batch-size to 4/,
  },
  {
    title: 'fewer images in a batch than workers have parts',
    args: start('--data', 'good', '--workers', '2', '--accumulate', '5'),
    code: 2,
    line: /batch-size 8 .*each of 2 ranks, each in 5 parts .*: raise --batch-size to 10/,
  },
  { title: 'very many workers', args: start('--data', 'good', '--workers', '300'), code: 2, line: /each of 300 ranks/ },
  {
    title: 'workers and GPUs',
    args: ['start', '--workers', '2', '--gpus', '2'],
    code: 2,
    line: /workers 2 .*gpus 2 .*leave one out/,
  },
  { title: 'GPUs for an engine that has none', args: start('--gpus', '1'), code: 2, line: /gpus 1 .*engine is wasm/ },
  {
    title: 'norms over all ranks of nets without norms',
    args: start('--sync-bn', '--norm', 'none'),
    code: 2,
    line: /sync-bn true .*norm is none.*leave one out/,
  },
  { title: 'a run that does not exist', args: ['start', '--resume', 'runs/none'], code: 5, line: /none/ },
];

describe('a mistake', () => {
  for (const { title, args, code, line, env } of CASES) {
    it(`is told in one line: ${title}`, async () => {
      const before = (await readdir(folder.path)).sort();
      const ended = await runTrainer(args, { cwd: folder.path, ...(env && { env }) });
      const errors = ended.stderr.split('\n').filter((text) => text.startsWith('error:'));
      expect(errors, ended.stderr).toHaveLength(1);
      expect(errors[0]).toMatch(line);
      expect(ended.stderr).not.toMatch(/^\s+at /m);
      expect(ended.code).toBe(code);
      expect(ended.stdout).toBe('');
      // Nothing half-written is left.
      expect((await readdir(folder.path)).sort()).toEqual(before);
    });
  }

  it('shows where it happened with -v', async () => {
    const ended = await runTrainer(['start', '--epochs', 'ten', '-v'], { cwd: folder.path });
    expect(ended.stderr).toMatch(/^\s+at /m);
  });
});
