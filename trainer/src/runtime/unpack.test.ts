import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { strToU8, zipSync } from 'fflate';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { unpackLibraries } from './unpack.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'unpack-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const wheel = (name: string, paths: readonly string[]): string => {
  const path = join(folder, name);
  writeFileSync(path, zipSync(Object.fromEntries(paths.map((p) => [p, strToU8(p)]))));
  return path;
};
const unpacked = (): string[] =>
  readdirSync(join(folder, 'out'), { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => join(e.parentPath, e.name).slice(join(folder, 'out').length + 1))
    .sort();

test('takes libraries and what XLA needs, nothing else, and removes the wheel', async () => {
  const wanted = [
    'nvidia/cuda_nvcc/bin/ptxas',
    'nvidia/cuda_nvcc/nvvm/libdevice/libdevice.10.bc',
    'nvidia/cudnn/lib/libcudnn.so.9',
    'tensorflow/libtensorflow_cc.so.2',
    'tensorflow/libtensorflow_framework.2.dylib',
  ];
  const unwanted = [
    'nvidia/cudnn/include/cudnn.h',
    'nvidia/cuda_nvcc/bin/nvcc',
    'tensorflow/python/_pywrap.so',
    'tensorflow/lib/libtensorflow_x.so',
    'x/tensorflow/libtensorflow_cc.so.2',
  ];
  const path = wheel('a.whl', [...unwanted, ...wanted]);
  await unpackLibraries({ wheels: [path], folder: join(folder, 'out') });
  expect(unpacked()).toEqual(wanted);
  expect(statSync(join(folder, 'out/nvidia/cuda_nvcc/bin/ptxas')).mode & 0o111).toBe(0o111);
  expect(existsSync(path)).toBe(false);
});

test('refuses a wheel whose paths leave the folder', async () => {
  const path = wheel('evil.whl', ['nvidia/x/lib/../../../../escaped']);
  await expect(unpackLibraries({ wheels: [path], folder: join(folder, 'out') })).rejects.toThrow();
  expect(existsSync(join(folder, 'escaped'))).toBe(false);
});

test('refuses what is no wheel', async () => {
  writeFileSync(join(folder, 'broken.whl'), 'not a zip');
  await expect(unpackLibraries({ wheels: [join(folder, 'broken.whl')], folder: join(folder, 'out') })).rejects.toThrow();
});
