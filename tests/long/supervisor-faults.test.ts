// Two hundred `trainer start` processes killed at moments drawn from seeds: nothing runs on, nothing stands in the way.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type KillFigures, killTrial } from '../faults/supervisor-trials.js';
import { fakeRuns, type RunRead, undisturbedRun } from '../support/fake-runs.js';
import { spread } from '../support/figures.js';

const TRIALS = 200;

const runs = await fakeRuns();
let undisturbed: RunRead;

beforeAll(async () => {
  undisturbed = await undisturbedRun(runs);
});
afterAll(() => runs.remove());

test(`${TRIALS} killed supervisors: no coordinator lives on, all runs go on to the undisturbed run's bits`, {
  timeout: 7_200_000,
}, async () => {
  const figures: KillFigures[] = [];
  for (let trial = 0; trial < TRIALS; trial++) figures.push(await killTrial(runs, undisturbed, 1000 + trial));
  const again = figures.filter(({ from }) => from === -1).length;
  console.log(
    `${TRIALS} killed supervisors; the coordinator ended after ${spread(figures.map(({ orphanMs }) => orphanMs))}; ` +
      `${TRIALS - again} runs went on, ${again} had saved nothing yet and were started again`,
  );
  expect(again).toBeLessThan(TRIALS / 2);
});
