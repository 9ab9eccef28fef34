import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeCpu, findGpus } from './devices.js';

const TWO = '0, NVIDIA H100 80GB HBM3, 81559, 580.95.05, GPU-aaaa1111\n1, NVIDIA H200, 143771, 580.95.05, GPU-bbbb2222\n';
let bin: string;

const nvidiaSmi = (output: string, code = 0): void => {
  const path = join(bin, 'nvidia-smi');
  writeFileSync(path, `#!/bin/sh\n/bin/cat <<'END'\n${output}END\nexit ${code}\n`);
  chmodSync(path, 0o755);
};
const indices = async (visible?: string): Promise<number[]> =>
  (await findGpus({ PATH: bin, ...(visible !== undefined && { CUDA_VISIBLE_DEVICES: visible }) })).map((g) => g.index);

beforeAll(() => {
  bin = mkdtempSync(join(tmpdir(), 'nvidia-'));
});
afterAll(() => rmSync(bin, { recursive: true, force: true }));

describe('GPUs', () => {
  test('are none where nvidia-smi is absent, fails or finds none', async () => {
    expect(await findGpus({ PATH: join(bin, 'nothing') })).toEqual([]);
    nvidiaSmi('Failed to initialize NVML, a, b, c, d\n', 9);
    expect(await indices()).toEqual([]);
    nvidiaSmi('No devices were found\n');
    expect(await indices()).toEqual([]);
  });

  test('are listed with name, memory and driver', async () => {
    nvidiaSmi(TWO);
    expect(await findGpus({ PATH: bin })).toEqual([
      { index: 0, name: 'NVIDIA H100 80GB HBM3', memoryMegabytes: 85521, driver: '580.95.05' },
      { index: 1, name: 'NVIDIA H200', memoryMegabytes: 150755, driver: '580.95.05' },
    ]);
  });

  test.each([
    ['1', [1]],
    ['1,0', [1, 0]],
    ['GPU-bbbb', [1]],
    ['', []],
    ['-1', []],
    ['0,7,1', [0]],
    ['MIG-5555', [0]],
  ])('CUDA_VISIBLE_DEVICES=%s leaves %j', async (visible, left) => {
    nvidiaSmi(TWO);
    expect(await indices(visible)).toEqual(left);
  });
});

test('the CPU is described by cores, memory and known instruction sets', async () => {
  const cpu = await describeCpu();
  expect(cpu.cores).toBeGreaterThan(0);
  expect(cpu.memoryMegabytes).toBeGreaterThan(100);
  for (const feature of cpu.features) expect(['avx2', 'avx512f', 'avx512_bf16', 'amx_bf16']).toContain(feature);
});
