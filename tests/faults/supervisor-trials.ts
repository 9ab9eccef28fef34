// `trainer start` processes that are killed with SIGKILL at a moment drawn from a seed: what is left, and how the run goes on.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { randomStream } from '../../trainer/src/random.js';
import { expectSame, type FakeRuns, type RunRead } from '../support/fake-runs.js';
import { childrenOf, ended, sharedMemory } from '../support/processes.js';

export interface KillFigures {
  readonly moment: 'loading' | 'training';
  /** Until the coordinator had ended too. */
  readonly orphanMs: number;
  /** After how many steps the run went on; -1: it had saved nothing yet and was started again. */
  readonly from: number;
}

/** Longest time from the start to the first step, and from there to the end, on the machine this was written on. */
const LOADING_MS = 1200;
const TRAINING_MS = 900;

export async function killTrial(runs: FakeRuns, undisturbed: RunRead, seed: number): Promise<KillFigures> {
  const random = randomStream(seed, 'supervisor trial');
  const out = `killed-${seed}`;
  const memory = sharedMemory();
  const moment = seed % 4 === 0 ? 'loading' : 'training';
  const flags = ['--commit-every', '0.1'];
  const run = runs.start(out, { flags, stepMs: [3, 6] });
  if (moment === 'training') await run.said(/^run .*to train/m);
  await sleep(random.below(moment === 'loading' ? LOADING_MS : TRAINING_MS));
  const children = childrenOf(run.process.pid!);
  run.process.kill('SIGKILL');
  const orphanMs = await ended(children, 2000);
  await run.ended;
  const from = await goOn(runs, out, flags);
  expectSame(await runs.read(out), undisturbed);
  expect(sharedMemory()).toEqual(memory);
  return { moment, orphanMs, from };
}

/** As a user would: go on with what there is, or start again where nothing was saved yet. */
async function goOn(runs: FakeRuns, out: string, flags: readonly string[]): Promise<number> {
  const resumed = await runs.resume(out);
  if (resumed.code === 0) return Number(/after step (\d+)/.exec(resumed.stderr)![1]);
  expect(resumed.code, resumed.stderr).toBe(5);
  expect(resumed.stderr).toMatch(/error: (there are no runs in|no run in .* has a checkpoint)/);
  await runs.removeRuns(out);
  const again = await runs.run(out, { flags });
  expect(again.code, again.stderr).toBe(0);
  return -1;
}
