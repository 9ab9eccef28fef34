import { expect, test } from 'vitest';
import type { BenchScalingOptions } from '../cli/contract.js';
import { testIo } from '../cli/test-io.js';
import { type BenchScalingResult, benchScaling } from './scaling.js';

/** The smallest net, on devices that are not there. */
const SMALL: BenchScalingOptions = {
  ...{ ranks: [2, 3], depth: 8, batchSize: 2, precision: 'fp32', wire: 'fp32', steps: 3, deviceMs: 1 },
  ...{ json: true, quiet: false, verbose: false, color: 'never' },
};

async function run(options: Partial<BenchScalingOptions>): Promise<{ code: number; out: string; err: string }> {
  const io = testIo({});
  const code = await benchScaling({ ...SMALL, ...options }, io);
  return { code, out: io.out.join(''), err: io.err.join('') };
}

test('one JSON document says what was measured for each number of ranks, one rank before all', async () => {
  const { code, out, err } = await run({});
  const result = JSON.parse(out) as BenchScalingResult;
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(result).toMatchObject({ ranks: [1, 2, 3], batch_size: 2, depth: 8, wire: 'fp32', floats: 78_042, device_ms: 1 });
  result.ranks.forEach((ranks, i) => {
    expect(result.step_ms[i]).toBeGreaterThanOrEqual(1);
    expect((result.images_per_sec[i]! * result.step_ms[i]!) / (2e3 * ranks)).toBeCloseTo(1, 1);
    expect(result.efficiency[i]).toBeCloseTo(result.images_per_sec[i]! / result.images_per_sec[0]! / ranks, 2);
  });
  expect(result.efficiency[0]).toBe(1);
  const [alone, ...together] = result.exchange_share;
  expect(alone).toBe(0);
  for (const share of together) expect(share).toBeGreaterThan(0);
});

test('what was fitted on one and two ranks is said of the others, and of them alone', async () => {
  const { predicted_step_ms: predicted, fitted } = JSON.parse((await run({})).out) as BenchScalingResult;
  expect(predicted).toEqual([null, null, expect.any(Number)]);
  expect(predicted[2]).toBeGreaterThan(fitted!.one_rank_ms);
});

test('without two ranks nothing is predicted', async () => {
  const { predicted_step_ms, fitted } = JSON.parse((await run({ ranks: [3] })).out) as BenchScalingResult;
  expect({ predicted_step_ms, fitted }).toEqual({ predicted_step_ms: [null, null], fitted: null });
});

test('for people it says plainly that devices were simulated, and what is predicted', async () => {
  const { out, err } = await run({ json: false, wire: 'bf16' });
  expect(out).toMatch(
    /^ResNet-8, fp32, 2 images a rank \(weak scaling\), 78042 floats exchanged as bf16; simulated device time: 1 ms a step\n/,
  );
  expect(out).toMatch(
    /\n3 ranks: {2}[\d.]+ img\/s, efficiency [\d.]+%, exchange [\d.]+% of [\d.]+ ms a step, [\d.]+ predicted \([+-][\d.]+%\)\n/,
  );
  expect(err).toBe('timing 3 steps of 2 images a rank, after warm-up: 1, 2, 3 ranks take turns\n');
});

test('more ranks than share a memory are a mistake in the command', async () => {
  await expect(run({ ranks: [1, 33] })).rejects.toMatchObject({
    exitCode: 2,
    message: '--ranks 33 are too many to share a memory: choose at most 32',
  });
});

test('a depth that no network has is a mistake in the command', async () => {
  await expect(run({ depth: 19 })).rejects.toMatchObject({ exitCode: 2 });
});
