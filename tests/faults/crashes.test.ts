// What fails while training begins anew by itself; tests/long has more of it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fakeRuns, type RunRead, undisturbedRun } from '../support/fake-runs.js';
import { crashTrial, KINDS } from './crash-trials.js';

const runs = await fakeRuns();
let undisturbed: RunRead;

beforeAll(async () => {
  undisturbed = await undisturbedRun(runs);
});
afterAll(() => runs.remove());

test.each(KINDS.map((kind, seed) => [kind, seed] as const))(
  'a run that fails once (%s) goes on unattended to the bits of the undisturbed run, from its newest save',
  async (_, seed) => {
    const { redoneSteps } = await crashTrial(runs, undisturbed, seed);
    // A commit is due every 0.1 s, which is about a dozen steps; an epoch's end is a checkpoint.
    expect(redoneSteps).toBeLessThanOrEqual(26);
  },
);
