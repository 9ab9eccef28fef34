// How long controls take to have their effect, while two ranks train.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { fakeRuns } from '../support/fake-runs.js';
import { percentile, spread } from '../support/figures.js';
import { supervise } from '../support/supervised.js';

const CONTROLS = 100;
const STEP_MS = [20, 30] as const;

const runs = await fakeRuns();
afterAll(() => runs.remove());

test(`${CONTROLS} controls take effect within one step and 250 ms at the 95th percentile`, async () => {
  const tookMs: number[] = [];
  const stepsMs: number[] = [];
  let last: number | undefined;
  let asking: Promise<void> | undefined;
  for (let run = 0; tookMs.length < CONTROLS; run++) {
    last = undefined;
    asking = undefined;
    const { error } = await supervise({
      ...{ runs, out: `controls-${run}`, stepMs: STEP_MS },
      onEvent: (event, hand) => {
        if (event.type !== 'step') return;
        const now = performance.now();
        if (last !== undefined) stepsMs.push(now - last);
        last = now;
        asking ??= (async () => {
          for (let i = 0; i < 28; i++) {
            const began = performance.now();
            await hand.control({
              control: `${i}`,
              action: (['lr', 'pause', 'resume', 'checkpoint'] as const)[i % 4]!,
              factor: 1,
            });
            tookMs.push(performance.now() - began);
            await sleep(7);
          }
        })();
      },
    });
    expect(error).toBeUndefined();
    await asking;
  }
  const stepMs = percentile(stepsMs, 0.95);
  console.log(`${tookMs.length} controls took effect after ${spread(tookMs)}; steps of ${spread(stepsMs)}`);
  expect(percentile(tookMs, 0.95)).toBeLessThan(stepMs + 250);
});
