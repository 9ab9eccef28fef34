// Ranks that answer no more; tests/long has more of it.
import { expect, test } from 'vitest';
import { DEADLINE_MS, frozenTrial } from './frozen-trials.js';

test.each(Array.from({ length: 6 }, (_, seed) => seed))(
  'a frozen rank is named once its deadline is over, and all others have given up by then (seed %i)',
  async (seed) => {
    const { noticedMs } = await frozenTrial(seed);
    expect(noticedMs).toBeGreaterThanOrEqual(DEADLINE_MS);
  },
);
