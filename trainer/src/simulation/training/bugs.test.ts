// What the simulation is worth: mistakes that were made on purpose are found.
import { describe, expect, it } from 'vitest';
import { firstFailure, type SimulationFailure, simulate } from '../simulate.js';
import { BUGS, type Bug } from './bugs.js';
import { RUN_LIMIT_MS, training } from './scenario.js';

/** So many must be enough. */
const SEEDS = 60;
/** For machines that are busy. */
const PATIENCE_MS = 300_000;

/** What each is found by. */
const FOUND_BY: Readonly<Record<Bug, RegExp>> = {
  'replay dropped': /was done at|took? effect|loss of step/,
  'replay late': /was done at|loss of step/,
  'controls not idempotent': /hang|was done at|takes effect at one step/,
  'torn commit shown': /loss of step|holds the weights/,
  'memory overwritten': /holds the weights|loss of step/,
  'metrics not rewound': /is recorded once|not done/,
  'late records': /is recorded/,
  'old commit chosen': /training goes on from step/,
  'rank watchdog off': /hang|late is noticed/,
  'silence watchdog off': /hang|stuck coordinator/,
  'shares not weighted': /loss of step/,
  'rate of one rank': /loss of step|reason/,
  'restarts miscounted': /restarts, \d are allowed/,
  'finish lost': /without a reason/,
  'entries skipped': /viewers/,
};

describe('the simulation of training finds that', () => {
  it.each(Object.keys(BUGS) as Bug[])('%s', { timeout: PATIENCE_MS }, async (bug) => {
    const scenario = training(bug);
    const failure = (await firstFailure({ seeds: SEEDS, scenario, limitMs: RUN_LIMIT_MS }))!;
    expect(failure?.message.split('\n')[0], BUGS[bug]).toMatch(FOUND_BY[bug]);
    const again = simulate({ seed: failure.seed, scenario, limitMs: RUN_LIMIT_MS }).catch((error: unknown) => error);
    expect(((await again) as SimulationFailure).message).toBe(failure.message);
  });
});
