import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakePython } from './fake-python.js';
import { ensureLibrary, findLibrary, type InstallProgress, pickVariant } from './library.js';
import { LIBRARIES } from './library-names.js';
import type { WheelSet } from './wheels.js';

const sets = vi.hoisted(() => ({ cpu: undefined as WheelSet | undefined, gpu: undefined as WheelSet | undefined }));
vi.mock('./wheels.js', async (original) => ({
  ...(await original<typeof import('./wheels.js')>()),
  wheelSet: (variant: 'cpu' | 'gpu') => sets[variant],
}));

const LIBRARY = `tensorflow/${LIBRARIES[0]}`;
let python: FakePython;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const pin = (requirement: string, bytes: Uint8Array) => ({ requirement, megabytes: 1, sha256: sha256(bytes) });
const stagings = (): string[] => readdirSync(join(python.cache, 'tensorflow')).filter((name) => name.startsWith('.staging'));

beforeEach(() => {
  python = new FakePython();
  const core = python.wheel('tensorflow-cpu==2.21.0', { [LIBRARY]: 'core', 'tensorflow/python/x.py': 'unwanted' });
  const extra = python.wheel('nvidia-extra-cu12==1.2', { 'nvidia/extra/lib/libextra.so.1': 'extra' });
  const wheels = [pin('tensorflow-cpu==2.21.0', core), pin('nvidia-extra-cu12==1.2', extra)];
  sets.cpu = { platforms: ['any'], unpackedMegabytes: 1, wheels };
  sets.gpu = undefined;
});
afterEach(() => rmSync(python.folder, { recursive: true, force: true }));

describe('installing the native library', () => {
  test('unpacks the libraries into the cache, tells what it does, and finds them there from then on', async () => {
    const progress: InstallProgress[] = [];
    const notices: string[] = [];
    const options = {
      env: python.env,
      onProgress: (p: InstallProgress) => progress.push(p),
      onNotice: (l: string) => notices.push(l),
    };
    const installed = await ensureLibrary(options);
    expect(installed).toEqual({
      folder: join(python.cache, 'tensorflow/2.21.0-cpu/tensorflow'),
      variant: 'cpu',
      version: '2.21.0',
    });
    expect(readFileSync(join(installed!.folder, LIBRARIES[0]), 'utf8')).toBe('core');
    expect(existsSync(join(installed!.folder, 'python'))).toBe(false);
    expect(notices.join()).toMatch(/installing TensorFlow 2\.21\.0 \(cpu\): 2 MB to download, 1 MB on disk/);
    expect(progress.at(-1)).toMatchObject({ what: 'unpack', doneMegabytes: expect.closeTo(progress.at(-1)!.totalMegabytes) });

    expect(await ensureLibrary(options)).toEqual(installed);
    expect(await findLibrary({ env: python.env })).toEqual(installed);
    expect(python.downloads).toHaveLength(2);
    expect(stagings()).toEqual([]);
  });

  test('goes on after a failed download with the wheels that it has', async () => {
    python.before('case "$wanted" in nvidia*) echo "NewConnectionError: refused" >&2; exit 1;; esac');
    await expect(ensureLibrary({ env: python.env })).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(/check the network/),
    });
    expect(await findLibrary({ env: python.env })).toBeUndefined();
    python.before(':');
    expect(await ensureLibrary({ env: python.env })).toMatchObject({ variant: 'cpu' });
    expect(python.downloads).toEqual(['tensorflow-cpu==2.21.0', 'nvidia-extra-cu12==1.2', 'nvidia-extra-cu12==1.2']);
    expect(stagings()).toEqual([]);
  });

  test('downloads a kept wheel again when its bytes are not the pinned ones', async () => {
    const wheels = join(python.cache, 'tensorflow/.staging-2.21.0-cpu-0-x/wheels');
    mkdirSync(wheels, { recursive: true });
    writeFileSync(join(wheels, 'tensorflow_cpu-2.21.0-py3-none-any.whl'), 'half a wheel');
    utimesSync(join(wheels, '..'), 0, 0);
    expect(await ensureLibrary({ env: python.env })).toBeDefined();
    expect(python.downloads).toContain('tensorflow-cpu==2.21.0');
  });

  test('stops pip when it is interrupted, and works when repeated', async () => {
    python.before('exec /bin/sleep 60');
    const controller = new AbortController();
    const installing = ensureLibrary({ env: python.env, signal: controller.signal });
    await vi.waitFor(() => expect(python.downloads).toHaveLength(1));
    controller.abort();
    await expect(installing).rejects.toMatchObject({ name: 'AbortError' });
    python.before(':');
    expect(await ensureLibrary({ env: python.env })).toBeDefined();
    expect(stagings()).toEqual([]);
  });

  test('waits for another process that is at it, and downloads once', async () => {
    python.before('/bin/sleep 0.3');
    const notices: string[] = [];
    const options = { env: python.env, onNotice: (line: string) => notices.push(line) };
    const [first, second] = await Promise.all([ensureLibrary(options), ensureLibrary(options)]);
    expect(first).toEqual(second);
    expect(first).toBeDefined();
    expect(python.downloads).toHaveLength(2);
    expect(notices.join()).toMatch(/another process is installing/);
  });

  test('replaces a folder that was left without its completion mark', async () => {
    const folder = join(python.cache, 'tensorflow/2.21.0-cpu/tensorflow');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, LIBRARIES[0]), 'half');
    const installed = await ensureLibrary({ env: python.env });
    expect(readFileSync(join(installed!.folder, LIBRARIES[0]), 'utf8')).toBe('core');
  });
});

describe('what stands in the way', () => {
  test.each([
    ['ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE', /not the pinned one/],
    ['ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device', /disk is full/],
    ['ERROR: No matching distribution found for tensorflow-cpu==2.21.0', /package index/],
    ['ERROR: something else', /\(something else\)/],
  ])('pip says "%s": one line with what to do, exit code 3', async (complaint, message) => {
    python.before(`echo "${complaint}" >&2; exit 1`);
    await expect(ensureLibrary({ env: python.env })).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(message),
    });
    expect(await findLibrary({ env: python.env })).toBeUndefined();
  });

  test('no Python: no library, and a line that says what would make training faster', async () => {
    const notices: string[] = [];
    const env = { ...python.env, PATH: join(python.folder, 'nothing') };
    expect(await ensureLibrary({ env, onNotice: (line) => notices.push(line) })).toBeUndefined();
    expect(notices).toEqual([expect.stringMatching(/no Python 3 with pip.*install python3 and its pip/)]);
  });

  test('no wheel for this platform: no library, and a line that says so', async () => {
    sets.cpu = undefined;
    const notices: string[] = [];
    expect(await ensureLibrary({ env: python.env, onNotice: (line) => notices.push(line) })).toBeUndefined();
    expect(notices).toEqual([expect.stringMatching(/has no cpu library for this system/)]);
  });

  test('too little space is told before anything is downloaded', async () => {
    sets.cpu = { ...sets.cpu!, unpackedMegabytes: 1e12 };
    await expect(ensureLibrary({ env: python.env })).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(/MB are needed/),
    });
    expect(python.downloads).toEqual([]);
  });

  test('a cache that cannot be written is named', async () => {
    writeFileSync(python.cache, 'a file where the folder should be');
    await expect(ensureLibrary({ env: python.env })).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining(python.cache),
    });
  });

  test('TENSORFLOW_LIB without the library is refused, with it is taken', async () => {
    const env = { ...python.env, TENSORFLOW_LIB: python.folder };
    await expect(findLibrary({ env })).rejects.toMatchObject({ exitCode: 3 });
    writeFileSync(join(python.folder, LIBRARIES[0]), '');
    expect(await findLibrary({ env })).toEqual({ folder: python.folder, variant: 'given', version: 'unknown' });
  });
});

describe('the variant', () => {
  test('is the CPU one where nvidia-smi is absent, and what the user asks for anywhere', async () => {
    expect(await pickVariant({ env: python.env })).toBe('cpu');
    expect(await pickVariant({ env: python.env, variant: 'gpu' })).toBe('gpu');
    expect(await pickVariant({ env: { ...python.env, TRAINER_VARIANT: 'gpu' } })).toBe('gpu');
  });

  test('is an installed GPU library rather than a second download', async () => {
    sets.gpu = sets.cpu;
    await ensureLibrary({ env: python.env, variant: 'gpu' });
    expect(await pickVariant({ env: python.env })).toBe('gpu');
  });
});
