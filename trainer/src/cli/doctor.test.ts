import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runDoctor } from './doctor.js';
import {
  cacheMegabytes,
  checkCpu,
  checkDataset,
  checkDevices,
  checkDisk,
  checkLibrary,
  checkNode,
  checkPip,
  checkPort,
  type Findings,
} from './doctor-checks.js';

const healthy: Findings = {
  nodeVersion: '22.1.0',
  pip: { command: ['pip'], version: '24.0, Python 3.12' },
  variant: 'cpu',
  library: { folder: '/cache/tensorflow/2.21.0-cpu/tensorflow', variant: 'cpu', version: '2.21.0' },
  probe: { version: '2.21.0', loadSeconds: 0.4, devices: [{ name: '/device:CPU:0', type: 'CPU', memoryMegabytes: 268 }] },
  gpus: [],
  cpu: { model: 'A CPU', cores: 8, memoryMegabytes: 16_000, features: ['avx2'] },
};
const gpu = { index: 0, name: 'NVIDIA H100', memoryMegabytes: 85_521, driver: '580.95.05' };
const withGpu: Findings = { ...healthy, gpus: [gpu], variant: 'gpu', library: { ...healthy.library!, variant: 'gpu' } };
const quietOptions = { quiet: false, verbose: false, json: false, color: 'never' } as const;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'doctor-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the doctor on a machine that has nothing installed. */
async function bare(json: boolean): Promise<{ code: number; out: string }> {
  let out = '';
  const env = { PATH: join(folder, 'bin'), TRAINER_CACHE_DIR: join(folder, 'cache') };
  const stdout = { write: (text: string) => (out += text) };
  const code = await runDoctor({ ...quietOptions, json }, { stdout, stderr: { write: () => true }, env, cwd: folder });
  return { code, out };
}

describe('trainer doctor', () => {
  test('on a machine without Python: exit code 3, and how to mend it', async () => {
    const { code, out } = await bare(false);
    expect(code).toBe(3);
    expect(out).toMatch(/^missing Python +none\n.*wanted: .*\n.*python3-pip/m);
    expect(out).toMatch(/^missing TensorFlow +not installed\n.*\n.*trainer setup/m);
    expect(out).toMatch(/2 things are missing\n$/);
  });

  test('--json: one document with every check and the devices, keys in snake case', async () => {
    const { out } = await bare(true);
    const document = JSON.parse(out) as Record<string, unknown> & { checks: { id: string }[] };
    expect(Object.keys(document)).toEqual(['ok', 'checks', 'library', 'gpus', 'cpu']);
    expect(document.ok).toBe(false);
    expect(document.checks.map((c) => c.id)).toEqual([
      'node',
      'pip',
      'library',
      'devices',
      'cpu_features',
      'cache_disk',
      'run_disk',
      'dataset',
      'port',
    ]);
    for (const check of document.checks)
      expect(Object.keys(check)).toEqual(['id', 'title', 'status', 'found', 'wanted', 'how_to_mend']);
  });
});

describe('its checks', () => {
  test('accept a machine where all is well, with nothing to mend', () => {
    for (const check of [checkNode, checkPip, checkLibrary, checkDevices, checkCpu].map((look) => look(healthy))) {
      expect(check).toMatchObject({ status: 'ok' });
      expect(check).not.toHaveProperty('mend');
    }
    expect(checkDevices(withGpu).status).toBe('missing');
  });

  test.each([
    ['18.20.0', 'missing'],
    ['20.18.1', 'missing'],
    ['20.19.0', 'ok'],
    ['24.0.0', 'ok'],
  ])('Node.js %s is %s', (nodeVersion, status) => expect(checkNode({ ...healthy, nodeVersion }).status).toBe(status));

  test('want pip only as long as the library is not installed', () => {
    expect(checkPip({ ...healthy, pip: undefined }).status).toBe('warning');
    expect(checkPip({ ...healthy, pip: undefined, library: undefined }).status).toBe('missing');
  });

  test('say what to remove when the library does not work', () => {
    expect(checkLibrary({ ...healthy, probe: new Error('cannot load it') })).toMatchObject({
      status: 'missing',
      found: 'cannot load it',
      mend: expect.stringContaining('/cache/tensorflow/2.21.0-cpu and run `trainer setup`'),
    });
  });

  test('list GPUs with memory, and miss those that TensorFlow does not see', () => {
    const seen = {
      ...healthy.probe,
      devices: [{ name: '/device:GPU:0', type: 'GPU', memoryMegabytes: 80_000 }],
    } as Findings['probe'];
    expect(checkDevices({ ...withGpu, probe: seen })).toMatchObject({
      status: 'ok',
      found: expect.stringContaining('GPU 0: NVIDIA H100, 85.5 GB'),
    });
    expect(checkDevices(withGpu)).toMatchObject({ status: 'missing', mend: expect.stringContaining('driver') });
    expect(checkDevices({ ...withGpu, library: healthy.library })).toMatchObject({
      mend: expect.stringContaining('--variant gpu'),
    });
  });

  test('want room for the library only where it is missing', async () => {
    expect(cacheMegabytes({ ...healthy, library: undefined })).toBeGreaterThan(cacheMegabytes(healthy));
    const notYetMade = join(folder, 'not/yet/made');
    expect(await checkDisk('cache_disk', 'disk', notYetMade, 1)).toMatchObject({ status: 'ok' });
    expect(await checkDisk('cache_disk', 'disk', notYetMade, 1e9)).toMatchObject({
      status: 'missing',
      mend: expect.stringContaining('TRAINER_CACHE_DIR'),
    });
  });

  test('find CIFAR-10 in the cache', async () => {
    expect(await checkDataset(folder)).toMatchObject({ status: 'warning' });
    mkdirSync(join(folder, 'data'));
    writeFileSync(join(folder, 'data/cifar10.pack'), '');
    expect(await checkDataset(folder)).toMatchObject({ status: 'ok', found: expect.stringContaining('cifar10.pack') });
  });

  test('tell a busy port', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await checkPort(port)).toMatchObject({ status: 'warning', found: 'in use' });
    await new Promise((resolve) => server.close(resolve));
    expect(await checkPort(port)).toMatchObject({ status: 'ok' });
  });
});
