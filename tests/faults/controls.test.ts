// Pause, resume, checkpoint, learning rate and stop, as a supervisor asks them of a real coordinator, and across its crashes.
import type { Control, ControlReply, TrainingEvent } from '@trainer/protocol';
import { afterAll, expect, test } from 'vitest';
import { fakeRuns, readOnly, STEPS } from '../support/fake-runs.js';
import { type Hand, type SupervisedOptions, supervise } from '../support/supervised.js';

const runs = await fakeRuns();
afterAll(() => runs.remove());

type Replies = Record<string, Promise<ControlReply>[]>;

/** Asks for each control twice, under one id, once this step is done. */
function asking(at: Readonly<Record<number, Omit<Control, 'control'>>>, replies: Replies): SupervisedOptions['onEvent'] {
  return (event, hand) => {
    const asked = event.type === 'step' ? at[event.position.step] : undefined;
    if (!asked || replies[asked.action]) return;
    const control = { control: asked.action, ...asked };
    replies[asked.action] = [hand.control(control), hand.control(control)];
  };
}

const stepsOf = (events: readonly { readonly event: TrainingEvent }[], type: TrainingEvent['type']): number[] =>
  events.filter(({ event }) => event.type === type).map(({ event }) => event.position.step);

test('a control asked for twice takes effect once, at one step that both replies name', async () => {
  const replies: Replies = {};
  const ask = asking(
    {
      4: { action: 'lr', factor: 0.5 },
      10: { action: 'pause' },
      20: { action: 'checkpoint' },
      30: { action: 'stop' },
    },
    replies,
  );
  const seen: string[] = [];
  const run = await supervise({
    ...{ runs, out: 'twice', commitEvery: 1000, stepMs: [5, 10] },
    onEvent: (event, hand) => {
      ask!(event, hand);
      if (event.type === 'step') seen.push('step');
      if (event.type === 'phase' && event.phase === 'paused') {
        seen.push('paused');
        // Long enough for steps that a pause would not have stopped.
        setTimeout(() => {
          seen.push('resumed');
          replies['resume'] = [0, 1].map(() => hand.control({ control: 'resume', action: 'resume' }));
        }, 100);
      }
    },
  });
  expect(run.error).toBeUndefined();
  const at: Record<string, number> = {};
  for (const [action, both] of Object.entries(replies)) {
    const [one, two] = await Promise.all(both);
    expect(one).toEqual(two);
    at[action] = one!.step;
  }
  expect(at['resume']).toBe(at['pause']);
  expect(seen.filter((what) => what === 'paused')).toHaveLength(1);
  expect(seen[seen.indexOf('paused') + 1]).toBe('resumed');
  // Beside those at the ends of epochs.
  expect(stepsOf(run.heard, 'checkpoint').filter((step) => step !== 13 && step !== 26)).toEqual([at['checkpoint'], at['stop']]);
  const lr = (await readOnly(runs, 'twice')).filter(({ name, model }) => name === 'lr' && model === 'plain');
  // The cosine falls by less than a tenth over these steps.
  const halved = lr.filter(({ value }, i) => i > 0 && value < 0.6 * lr[i - 1]!.value).map(({ step }) => step);
  expect(halved).toEqual([at['lr']! + 1]);
  expect(lr.at(-1)!.step).toBe(at['stop']);
  // Between the step after which it was asked for and the next but one: within a step.
  for (const [action, asked] of [
    ['lr', 4],
    ['pause', 10],
    ['checkpoint', 20],
    ['stop', 30],
  ] as const)
    expect(at[action]! - asked).toBeLessThanOrEqual(2);
});

test('a checkpoint asked for in a pause is written in the pause', async () => {
  const order: string[] = [];
  const ask = asking({ 10: { action: 'pause' } }, {});
  const run = await supervise({
    ...{ runs, out: 'saved-paused', commitEvery: 1000, stepMs: [5, 10] },
    onEvent: (event, hand) => {
      ask!(event, hand);
      if (event.type === 'phase' && event.phase === 'paused') void hand.control({ control: 'save', action: 'checkpoint' });
      if (event.type === 'step') order.push('step');
      if (event.type !== 'checkpoint' || order.includes('checkpoint')) return;
      order.push('checkpoint');
      setTimeout(() => {
        order.push('resume');
        void hand.control({ control: 'resume', action: 'resume' });
      }, 100);
    },
  });
  expect(run.error).toBeUndefined();
  expect(order[order.indexOf('checkpoint') + 1]).toBe('resume');
});

test('a crash after a change of the learning rate repeats it at the same step', async () => {
  const replies: Replies = {};
  const ask = asking({ 16: { action: 'lr', factor: 0.3 } }, replies);
  let killed = false;
  const run = await supervise({
    ...{ runs, out: 'replayed', commitEvery: 1000, stepMs: [5, 10] },
    onEvent: (event, hand) => {
      ask!(event, hand);
      if (killed || event.type !== 'step' || event.position.step !== 24) return;
      killed = true;
      hand.killCoordinator();
    },
  });
  expect(run.error).toBeUndefined();
  expect(run.notices.join('\n')).toMatch(/going on with .* after step 13/);
  const { step } = await replies['lr']![0]!;
  expect(step).toBeGreaterThan(13);
  const undisturbed = await supervise({
    ...{ runs, out: 'planned', commitEvery: 1000 },
    onEvent: (event, hand) => {
      if (event.type === 'ready') void hand.control({ control: 'planned', action: 'lr', factor: 0.3, atStep: step });
    },
  });
  expect(undisturbed.error).toBeUndefined();
  const [one, other] = [await runs.read('replayed'), await runs.read('planned')];
  expect(one.weights.map((file, i) => file.equals(other.weights[i]!))).toEqual([true, true, true, true]);
  expect(one.rows.length).toBe(other.rows.length);
});

test('a run that is paused when its coordinator is killed is paused again, until it is resumed', async () => {
  const paused: number[] = [];
  const onPause = (hand: Hand): void => {
    // Once the pause is acknowledged: one that is not would be asked for again, and take effect at the first step.
    if (paused.length === 1) setTimeout(() => hand.killCoordinator(), 300);
    else void hand.control({ control: 'resume', action: 'resume' });
  };
  const ask = asking({ 10: { action: 'pause' } }, {});
  const run = await supervise({
    ...{ runs, out: 'paused', commitEvery: 1000, stepMs: [5, 10] },
    onEvent: (event, hand) => {
      ask!(event, hand);
      if (event.type !== 'phase' || event.phase !== 'paused') return;
      paused.push(event.position.step);
      onPause(hand);
    },
  });
  expect(run.error).toBeUndefined();
  expect(paused).toHaveLength(2);
  expect(paused[1]).toBe(paused[0]);
  expect(Math.max(...stepsOf(run.heard, 'step'))).toBe(STEPS);
});
