// Simulated training, many seeds: the quick form is beside the simulation, where SIMULATION_SEED replays one.
import { expect, test } from 'vitest';
import { firstFailure } from '../../trainer/src/simulation/simulate.js';
import { RUN_LIMIT_MS, training } from '../../trainer/src/simulation/training/scenario.js';

const SEEDS = 1000;

test(`simulated training ends well for ${SEEDS} seeds`, async () => {
  const began = performance.now();
  const failure = await firstFailure({ seeds: SEEDS, scenario: training(), limitMs: RUN_LIMIT_MS });
  expect(failure?.message).toBeUndefined();
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(`simulation: ${SEEDS} seeds in ${seconds.toFixed(1)} s, ${(SEEDS / seconds).toFixed(1)} seeds/s\n`);
});
