// Runs whose coordinator or ranks are made to fail at a step drawn from a seed, under a supervisor that begins them anew.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { randomStream } from '../../trainer/src/random.js';
import { expectSame, type FakeRuns, type Fault, happenedAt, type RunRead, readRun, STEPS } from '../support/fake-runs.js';
import { type Supervised, supervise } from '../support/supervised.js';

export const KINDS = ['kill-outside', 'kill', 'throw', 'exit', 'freeze-thread', 'freeze-native', 'freeze-js'] as const;
export type Kind = (typeof KINDS)[number];

/** Seconds between commits. */
export const COMMIT_EVERY = 0.1;
/** Compiling is exempt from deadlines, and with it the first steps of each size and the first validation. */
const FIRST_TIMED_STEP = 27;

export interface CrashFigures {
  readonly kind: Kind;
  /** From the fault to the first step after it. */
  readonly resumedMs: number;
  /** Steps, and the time they had taken, that were done again. */
  readonly redoneSteps: number;
  readonly redoneMs: number;
}

export async function crashTrial(runs: FakeRuns, undisturbed: RunRead, seed: number): Promise<CrashFigures> {
  const random = randomStream(seed, 'crash trial');
  const kind = KINDS[seed % KINDS.length]!;
  const out = `crash-${seed}`;
  const once = runs.marker(out);
  const frozen = kind.startsWith('freeze');
  const from = frozen ? FIRST_TIMED_STEP : 1;
  const step = from + random.below(STEPS - from + 1);
  const phases = kind === 'freeze-js' ? (['gradients', 'apply', 'evaluate'] as const) : PHASES;
  const fault: Fault[] =
    kind === 'kill-outside' ? [] : [{ do: kind, rank: random.below(2), phase: phases[random.below(phases.length)]!, step, once }];
  let killedAt: number | undefined;
  const run = await supervise({
    ...{ runs, out, faults: fault, commitEvery: COMMIT_EVERY, deadline: frozen ? 1 : 60 },
    onEvent: (event, hand) => {
      if (kind !== 'kill-outside' || event.type !== 'step' || event.position.step !== step || killedAt !== undefined) return;
      killedAt = Date.now();
      hand.killCoordinator();
    },
  });
  const label = `seed ${seed}: ${JSON.stringify(fault[0] ?? { kind, step })}`;
  expect(run.error, label).toBeUndefined();
  expect(run.warnings.length, label).toBe(1);
  const [name] = readdirSync(join(runs.path, out));
  expectSame(await readRun(join(runs.path, out, name!)), undisturbed);
  return { kind, ...costOf(run, killedAt ?? happenedAt(once)!) };
}

const PHASES = ['gradients', 'apply', 'evaluate', 'snapshot'] as const;

function costOf({ heard }: Supervised, faultAt: number): Omit<CrashFigures, 'kind'> {
  const begins = heard.findLastIndex(({ event }) => event.type === 'ready');
  const first = heard.slice(begins).find(({ event }) => event.type === 'step') ?? heard.at(-1)!;
  const from = heard[begins]!.event.position.step;
  const before = heard.slice(0, begins).filter(({ event }) => event.type === 'step');
  const redone = before.filter(({ event }) => event.position.step > from);
  const copied = before.find(({ event }) => event.position.step === from);
  return {
    resumedMs: first.at - faultAt,
    redoneSteps: redone.length,
    redoneMs: redone.length === 0 || !copied ? 0 : redone.at(-1)!.at - copied.at,
  };
}
