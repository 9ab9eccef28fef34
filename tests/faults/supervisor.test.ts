// What is left when `trainer start` is killed; tests/long has more of it.
import { afterAll, beforeAll, test } from 'vitest';
import { fakeRuns, type RunRead, undisturbedRun } from '../support/fake-runs.js';
import { killTrial } from './supervisor-trials.js';

const runs = await fakeRuns();
let undisturbed: RunRead;

beforeAll(async () => {
  undisturbed = await undisturbedRun(runs);
});
afterAll(() => runs.remove());

test.each([0, 1, 2, 3])(
  'a supervisor killed at a random moment leaves no process, and its run goes on to the same bits (seed %i)',
  async (seed) => {
    await killTrial(runs, undisturbed, seed);
  },
);
