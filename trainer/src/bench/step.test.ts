import { expect, test } from 'vitest';
import type { BenchStepOptions } from '../cli/contract.js';
import type { Io } from '../cli/io.js';
import { benchStep } from './step.js';

/** The smallest net on the engine that every machine has. */
const SMALL: BenchStepOptions = {
  depth: 8,
  batchSize: 4,
  precision: 'fp32',
  engine: 'wasm',
  steps: 4,
  json: true,
  quiet: false,
  verbose: false,
  color: 'never',
};

async function run(options: Partial<BenchStepOptions>): Promise<{ code: number; stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) => ({
    write: (text: string) => {
      written[name] += text;
    },
  });
  const io: Io = { stdout: stream('stdout'), stderr: stream('stderr'), env: {}, cwd: '/' };
  const code = await benchStep({ ...SMALL, ...options }, io);
  return { code, ...written };
}

test('one JSON document on stdout says what was measured, with the units in its keys', async () => {
  const { code, stdout, stderr } = await run({});
  const result = JSON.parse(stdout) as Record<string, number>;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(result).toMatchObject({ batch_size: 4, depth: 8, precision: 'fp32', engine: 'wasm', model: 'ResNet-8', steps: 4 });
  const { images_per_sec_median: median, images_per_sec_best: best, step_ms_median: ms } = result as Record<string, number>;
  expect(median! * ms!).toBeCloseTo(4 * 1e3, -2);
  expect(best).toBeGreaterThanOrEqual(median!);
  expect(result['warmup_ms']).toBeGreaterThan(0);
  expect(result['peak_rss_mb']).toBeGreaterThan(50);
});

test('without --json it is two lines for people, and a line on stderr that it has begun', async () => {
  const { stdout, stderr } = await run({ json: false, steps: 1 });
  expect(stdout).toMatch(/^ResNet-8, fp32, batch 4: [\d.]+ img\/s \(best [\d.]+\), [\d.]+ ms a step\nWebAssembly on .*\n$/);
  expect(stderr).toMatch(/^timing 1 steps of 4 images, after warm-up[^\n]*\n$/);
});

test('a depth that no network has is a mistake in the command, found before the engine loads', async () => {
  await expect(run({ depth: 19 })).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringContaining('no network has depth 19'),
  });
});
