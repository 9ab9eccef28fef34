// Two hundred frozen ranks: each is noticed in time and named, and no trial hangs.
import { expect, test } from 'vitest';
import { DEADLINE_MS, frozenTrial } from '../faults/frozen-trials.js';
import { spread } from '../support/figures.js';

const TRIALS = 200;

test(`${TRIALS} frozen ranks of 2 to 4 are noticed within a second after their deadline`, { timeout: 3_600_000 }, async () => {
  const lateMs: number[] = [];
  for (let trial = 0; trial < TRIALS; trial++) lateMs.push((await frozenTrial(1000 + trial)).noticedMs - DEADLINE_MS);
  console.log(`${TRIALS} frozen ranks, noticed after the deadline of ${DEADLINE_MS} ms by ${spread(lateMs)}`);
  expect(Math.max(...lateMs)).toBeLessThan(1000);
});
