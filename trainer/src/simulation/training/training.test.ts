// The real supervisor, coordinator and ranks with an operator and viewers, through crashes, freezes, lossy lines and slow disks.
// SIMULATION_SEED=7 plays one seed and prints all that happened in it.
import { describe, expect, it } from 'vitest';
import { firstFailure, SimulationFailure, simulate } from '../simulate.js';
import { RUN_LIMIT_MS, training } from './scenario.js';

const SEEDS = 120;
/** For machines that are busy. */
const PATIENCE_MS = 300_000;
const only = process.env['SIMULATION_SEED'];
const play = (seed: number): Promise<readonly string[]> => simulate({ seed, scenario: training(), limitMs: RUN_LIMIT_MS });

describe.runIf(only === undefined)('simulated training', () => {
  it('ends with the numbers of an undisturbed run, whatever goes wrong', { timeout: PATIENCE_MS }, async () => {
    const failure = await firstFailure({ seeds: SEEDS, scenario: training(), limitMs: RUN_LIMIT_MS });
    expect(failure?.message).toBeUndefined();
  });

  it('is the same to the bit for the same seed, and another for another', async () => {
    const traces = new Set<string>();
    for (const seed of [0, 1, 2, 3, 4]) {
      const trace = (await play(seed)).join('\n');
      expect((await play(seed)).join('\n')).toBe(trace);
      traces.add(trace);
    }
    expect(traces.size).toBe(5);
  });
});

describe.runIf(only !== undefined)(`seed ${only}`, () => {
  it('ends well', async () => {
    const outcome = await play(Number(only)).catch((error: unknown) => error as SimulationFailure);
    const trace = outcome instanceof SimulationFailure ? outcome.trace : (outcome as readonly string[]);
    process.stdout.write(`${trace.join('\n')}\n`);
    if (outcome instanceof Error) throw outcome;
  });
});
