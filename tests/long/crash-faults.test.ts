// A hundred runs that fail once, at a step and in a way drawn from a seed: all go on unattended, soon, from a recent step.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { COMMIT_EVERY, type CrashFigures, crashTrial, KINDS } from '../faults/crash-trials.js';
import { fakeRuns, type RunRead, undisturbedRun } from '../support/fake-runs.js';
import { spread } from '../support/figures.js';

const TRIALS = 100;
/** A step under way and a save that takes its time, beside the interval itself. */
const SLACK_MS = 500;

const runs = await fakeRuns();
let undisturbed: RunRead;

beforeAll(async () => {
  undisturbed = await undisturbedRun(runs);
});
afterAll(() => runs.remove());

test(`${TRIALS} crashes: resumed within 5 s, at most the commit interval done again, the undisturbed run's bits`, {
  timeout: 3_600_000,
}, async () => {
  const figures: CrashFigures[] = [];
  for (let trial = 0; trial < TRIALS; trial++) figures.push(await crashTrial(runs, undisturbed, 1000 + trial));
  for (const kind of KINDS) {
    const of = figures.filter((figure) => figure.kind === kind);
    console.log(
      `${kind}: ${of.length} trials; fault to next step ${spread(of.map((f) => f.resumedMs))}; ` +
        `done again ${spread(
          of.map((f) => f.redoneSteps),
          'steps',
        )} (${spread(of.map((f) => f.redoneMs))})`,
    );
  }
  expect(Math.max(...figures.map(({ resumedMs }) => resumedMs))).toBeLessThan(5000);
  expect(Math.max(...figures.map(({ redoneMs }) => redoneMs))).toBeLessThan(1000 * COMMIT_EVERY + SLACK_MS);
});
