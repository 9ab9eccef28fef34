import { expect, test } from 'vitest';
import type { BenchAllReduceOptions } from '../cli/contract.js';
import { testIo } from '../cli/test-io.js';
import { benchAllReduce } from './allreduce.js';

const SMALL: BenchAllReduceOptions = {
  ...{ ranks: 2, floats: 1000, wire: 'fp32' },
  ...{ json: true, quiet: false, verbose: false, color: 'never' },
};

async function run(options: Partial<BenchAllReduceOptions>): Promise<{ code: number; out: string; err: string }> {
  const io = testIo({});
  const code = await benchAllReduce({ ...SMALL, ...options }, io);
  return { code, out: io.out.join(''), err: io.err.join('') };
}

test.each(['fp32', 'bf16'] as const)('one JSON document says what was measured, units in its keys: %s', async (wire) => {
  const { code, out, err } = await run({ wire });
  const result = JSON.parse(out) as Record<string, number>;
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(result).toMatchObject({ ranks: 2, floats: 1000, wire });
  const { exchange_ms_median: median, exchange_ms_best: best, pack_ms_median: pack } = result;
  expect(best).toBeGreaterThan(0);
  expect(median).toBeGreaterThanOrEqual(best!);
  expect(median).toBeGreaterThanOrEqual(pack!);
  for (const key of ['reduce_ms_median', 'reduce_gb_per_sec', 'copy_gb_per_sec']) expect(result[key]).toBeGreaterThan(0);
});

test('without --json it is three lines for people, and a line on stderr that it has begun', async () => {
  const { out, err } = await run({ json: false, ranks: 1 });
  expect(out).toMatch(
    /^1 ranks, 1000 floats, fp32 wire: [\d.]+ ms an exchange [^\n]*\nof the slowest rank: [^\n]*\nreduce alone: [^\n]*\n$/,
  );
  expect(err).toBe('exchanging 1000 floats between 1 ranks, after warm-up\n');
});

test.each([
  [{ ranks: 33 }, '--ranks 33 are too many to share a memory: choose at most 32'],
  [{ ranks: 4, floats: 10 ** 9 }, '--floats 1000000000 of 4 ranks are too many to hold: choose at most 187500000'],
])('more than fits is a mistake in the command: %j', async (options, message) => {
  await expect(run(options)).rejects.toMatchObject({ exitCode: 2, message });
});
