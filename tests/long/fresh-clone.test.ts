// The first command of a newcomer: `npm start` in a fresh clone with an empty home folder. Needs the package registries.
import { execFileSync, spawn } from 'node:child_process';
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeImageFolder } from '../support/images.js';
import { type Ended, temporaryFolder } from '../support/trainer.js';

const REPOSITORY = new URL('../..', import.meta.url).pathname;
const MINUTES = 60_000;
const folder = await temporaryFolder();
const clone = join(folder.path, 'clone');
const images = join(folder.path, 'images');
const TINY = ['--data', images, '--preset', 'full', '--depth', '8', '--width', '0.25', '--batch-size', '8', '--max-steps', '4'];
/** What pip and npm are told about their registries stays; everything else is as on a new machine. */
const registries = Object.entries(process.env).filter(([name]) =>
  /^(PIP_|SSL_|https?_proxy$|no_proxy$|NODE_EXTRA_CA)/i.test(name),
);

function npmStart(
  args: readonly string[],
  { path, home, interruptAt }: { path: string; home: string; interruptAt?: RegExp },
): Promise<Ended> {
  const env = { ...Object.fromEntries(registries), PATH: path, HOME: join(folder.path, home), CI: 'true' };
  const child = spawn('npm', ['start', '--', ...args], { cwd: clone, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const text = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (chunk: string) => {
      text[stream] += chunk;
      // As a terminal does: to the whole group.
      if (interruptAt?.test(text.stderr)) process.kill(-child.pid!, 'SIGINT');
      if (interruptAt?.test(text.stderr)) interruptAt = undefined;
    });
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, ...text })));
}

/** npm passes the exit code on, or ends by the signal itself. */
const isInterrupted = ({ code, signal }: Ended): boolean => code === 130 || signal === 'SIGINT';

beforeAll(async () => {
  execFileSync('git', ['clone', '--quiet', REPOSITORY, clone]);
  await writeImageFolder(images, { train: 36, test: 10 });
  await mkdir(join(folder.path, 'home'));
});
afterAll(() => folder.remove());

describe('npm start in a fresh clone', () => {
  const usual = { path: process.env['PATH']!, home: 'home' };

  it('can be interrupted while it installs packages', async () => {
    const ended = await npmStart(TINY, { ...usual, interruptAt: /installing \d+ npm packages/ });
    expect(ended.stderr).toMatch(/set-up interrupted: repeat the command to go on/);
    expect(isInterrupted(ended)).toBe(true);
  });

  it('can be interrupted while it installs the library', { timeout: 10 * MINUTES }, async () => {
    const ended = await npmStart(TINY, { ...usual, interruptAt: /installing TensorFlow/ });
    expect(ended.stderr).toMatch(/set-up interrupted/);
    expect(isInterrupted(ended)).toBe(true);
  });

  it('goes on from there and trains, and leaves the clone as it was but for ignored files', {
    timeout: 10 * MINUTES,
  }, async () => {
    const ended = await npmStart(TINY, usual);
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    expect(ended.stderr).toMatch(/on TensorFlow|TensorFlow \d/);
    expect(await readdir(join(clone, 'runs'))).toHaveLength(1);
    expect(execFileSync('git', ['status', '--porcelain'], { cwd: clone, encoding: 'utf8' })).toBe('');
  });

  it('installs and builds nothing the second time', { timeout: 5 * MINUTES }, async () => {
    const ended = await npmStart(TINY, usual);
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    expect(ended.stderr).toMatch(/^trainer: set-up is complete/m);
    expect(ended.stderr).not.toMatch(/installing|compiling/);
  });

  it('trains without Python, and says once what would make it faster', { timeout: 10 * MINUTES }, async () => {
    const bin = join(folder.path, 'bin');
    await mkdir(bin);
    await mkdir(join(folder.path, 'home-without-python'));
    for (const [name, target] of [
      ['node', process.execPath],
      ['npm', join(dirname(process.execPath), 'npm')],
      ['sh', '/bin/sh'],
    ])
      await symlink(target!, join(bin, name!));
    const ended = await npmStart(TINY, { path: bin, home: 'home-without-python' });
    expect(ended, ended.stderr).toMatchObject({ code: 0 });
    expect(ended.stderr.match(/Python/g)).toHaveLength(1);
    expect(ended.stderr).toMatch(/WebAssembly/);
  });
});
