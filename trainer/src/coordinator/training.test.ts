import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../report/contract.js';
import type { Controls } from './controls.js';
import { type TestRun, testRun } from './test-run.js';

const stop = (controls: Controls): void => void controls.request({ control: 'stop', action: 'stop' });

const weightsOf = ({ models }: Checkpoint): Record<string, number[]> =>
  Object.fromEntries(
    Object.entries(models).flatMap(([side, { values, velocities }]) =>
      [...Object.entries(values), ...Object.entries(velocities).map(([name, v]) => [`velocity ${name}`, v] as const)].map(
        ([name, { data }]) => [`${side} ${name}`, [...data]],
      ),
    ),
  );

const last = ({ saved }: TestRun): Checkpoint => saved.at(-1)!.checkpoint;
const values = (run: TestRun): (string | number)[][] =>
  run.records
    .filter(({ name }) => !name.startsWith('time/'))
    .map(({ step, epoch, model, name, value }) => [step, epoch, model, name, value]);

describe('training', () => {
  it('takes every step of both models on the same batches, and validates each epoch', async () => {
    const run = await testRun();
    expect(run.result.status).toBe('finished');
    expect(run.result.state).toMatchObject({ step: 6, epoch: 3, stepInEpoch: 0 });
    const losses = run.records.filter((r) => r.name === 'train/loss');
    expect(losses.map((r) => [r.step, r.epoch, r.model])).toEqual(
      [1, 2, 3, 4, 5, 6].flatMap((step) => ['resnet', 'plain'].map((model) => [step, step <= 3 ? 1 : 2, model])),
    );
    const epochEnds = run.records.filter((r) => r.name === 'val/accuracy' || r.name === 'gap/train_error');
    expect(epochEnds.map((r) => [r.step, r.model])).toEqual([
      [3, 'resnet'],
      [3, 'plain'],
      [3, 'gap'],
      [6, 'resnet'],
      [6, 'plain'],
      [6, 'gap'],
    ]);
  });

  it('learns to tell two clearly different classes apart', async () => {
    const { result } = await testRun({ config: { epochs: 12 } });
    for (const side of ['resnet', 'plain'] as const) {
      expect(result.state.models[side]!.testAccuracy).toBe(100);
      expect(result.state.models[side]!.trainError).toBeLessThan(10);
    }
  });

  it('starts both models from the same values and steps each on its own', async () => {
    const { models } = last(await testRun({ config: { maxSteps: 1, lr: 1e-30 } }));
    expect(models.plain!.values['layer1.0.conv1.weight']!.data).toEqual(models.resnet!.values['layer1.0.conv1.weight']!.data);
  });

  it('records how large gradient, weights and step of each layer are', async () => {
    const config = { maxSteps: 1, momentum: 0, weightDecay: 0, lr: 0.5 };
    const [still, moved] = await Promise.all([testRun({ config: { ...config, lr: 1e-30 } }), testRun({ config })]);
    const [before, after] = [still, moved].map((run) => last(run).models.resnet!.values['layer2.0.conv1.weight']!.data);
    const norm = (x: ArrayLike<number>): number => Math.hypot(...Array.from(x));
    const recorded = (name: string): number =>
      moved.records.find((r) => r.model === 'resnet' && r.name === `${name}/layer2.0.conv1`)!.value;
    const step = norm(after!.map((w, i) => w - before![i]!));
    expect(recorded('weight_norm') / norm(before!)).toBeCloseTo(1, 5);
    expect((recorded('update_ratio') * norm(before!)) / step).toBeCloseTo(1, 4);
    // Plain gradient descent: the step is the gradient times the rate.
    expect((recorded('grad_norm') * config.lr) / step).toBeCloseTo(1, 4);
  });

  it('leaves frozen parameters as they were', async () => {
    const [start, end] = await Promise.all([
      testRun({ config: { maxSteps: 1, lr: 1e-30 } }),
      testRun({ config: { freeze: ['layer1.'] } }),
    ]);
    const [before, after] = [last(start).models.resnet!.values, last(end).models.resnet!.values];
    expect(after['layer1.0.conv1.weight']!.data).toEqual(before['layer1.0.conv1.weight']!.data);
    expect(after['layer2.0.conv1.weight']!.data).not.toEqual(before['layer2.0.conv1.weight']!.data);
  });

  it('marks the checkpoint of the best validation accuracy as best, and only better ones after it', async () => {
    const run = await testRun({ config: { epochs: 6 } });
    let best = Number.NEGATIVE_INFINITY;
    const accuracies = run.records.filter((r) => r.name === 'val/accuracy' && r.model === 'resnet');
    expect(run.saved.map((s) => s.best)).toEqual(
      accuracies.map(({ value }) => {
        const better = value > best;
        best = Math.max(best, value);
        return better;
      }),
    );
  });

  it.each([1, 2, 3, 4])('goes on from a stop after step %i to the bits of an undisturbed run', async (at) => {
    const whole = await testRun();
    const first = await testRun({
      watch: (event, controls) => event.type === 'step' && event.position.step === at && stop(controls),
    });
    expect(first.result.status).toBe('interrupted');
    expect(last(first).state.step).toBe(at);
    const second = await testRun({ from: last(first) });
    expect(second.result.status).toBe('finished');
    expect(weightsOf(last(second))).toEqual(weightsOf(last(whole)));
    expect([...values(first), ...values(second)]).toEqual(values(whole));
  });

  it('goes on from a stop between an epoch and its validation', async () => {
    const first = await testRun({
      watch: (event, controls) => event.type === 'phase' && event.phase === 'validation' && stop(controls),
    });
    expect(values(first).some(([, , , name]) => name === 'val/accuracy')).toBe(false);
    const second = await testRun({ from: last(first) });
    expect([...values(first), ...values(second)]).toEqual(values(await testRun()));
  });

  it('ends as if done when its time is over, validated and saved', async () => {
    const run = await testRun({ config: { maxTime: 1e-9 } });
    expect(run.result).toMatchObject({ status: 'finished', reason: expect.stringContaining('--max-time') });
    expect(last(run).state.step).toBe(1);
    expect(last(run).state.models.resnet!.testAccuracy).not.toBeNull();
  });

  it('ends once every model reaches the target', async () => {
    const run = await testRun({ config: { epochs: 100, targetAcc: 60 } });
    expect(run.result.reason).toContain('60%');
    expect(run.result.state.step).toBeLessThan(300);
  });

  it('stops at the step where a number overflows, and saves nothing of it', async () => {
    const run = await testRun({ config: { lr: 1e30, norm: 'none' } });
    expect(run.result.status).toBe('diverged');
    expect(run.result.reason).toMatch(/^(ResNet|Plain)-8 diverged: .* (at|after) step \d+$/);
    expect(run.saved.every(({ checkpoint }) => checkpoint.state.step < run.result.state.step + 1)).toBe(true);
  });

  it('ends where weights are spoiled by the very last step, and does not save them', async () => {
    // The loss of a step is of before its update: without a look at the update, this run would finish well.
    const run = await testRun({ config: { maxSteps: 1, lr: 3e38 } });
    expect(run.result.status).toBe('diverged');
    expect(run.result.reason).toMatch(/diverged: .* (at|after) step 1$/);
    expect(run.saved).toEqual([]);
  });

  it('saves what it has when its time is over between two checkpoints', async () => {
    const run = await testRun({ config: { maxTime: 1e-9, checkpointEvery: 5, epochs: 9 } });
    expect(run.saved.map(({ checkpoint }) => checkpoint.state.step)).toEqual([1]);
  });

  it('trains no further step when it goes on after its time is over', async () => {
    const first = await testRun({ config: { maxTime: 1e-9 } });
    const second = await testRun({ config: { maxTime: 1e-9 }, from: last(first) });
    expect(second.result).toMatchObject({
      status: 'finished',
      state: { step: 1 },
      reason: expect.stringContaining('--max-time'),
    });
    expect(second.records).toEqual([]);
  });

  it('refuses to freeze what is not there, or everything', async () => {
    await expect(testRun({ config: { freeze: ['layer9'] } })).rejects.toThrow(/--freeze layer9: no parameter begins so/);
    await expect(testRun({ config: { freeze: ['conv', 'layer', 'fc'] } })).rejects.toThrow(
      /leaves no convolution or dense layer/,
    );
  });

  it('leaves no tensors behind', async () => {
    const tf = await import('@tensorflow/tfjs-core');
    await testRun();
    const before = tf.memory().numTensors;
    await testRun();
    expect(tf.memory().numTensors).toBe(before);
  });

  it('commits before its first step, and after each that is due, what a run goes on from to the same bits', async () => {
    const whole = await testRun({ commitEvery: 0 });
    expect(whole.commits[0]!.state.step).toBe(0);
    expect(whole.commits.length).toBeGreaterThan(1);
    for (const commit of whole.commits) {
      const rest = await testRun({ from: commit });
      expect(weightsOf(last(rest))).toEqual(weightsOf(last(whole)));
    }
  });

  it('trains at another rate from the step on at which that was asked, and goes on at it', async () => {
    const asked = await testRun({
      watch: (event, controls) =>
        event.type === 'step' &&
        event.position.step === 2 &&
        void controls.request({ control: 'slower', action: 'lr', factor: 0.5 }),
    });
    const rates = asked.records.filter(({ name, model }) => name === 'lr' && model === 'resnet').map(({ value }) => value);
    const usual = (await testRun()).records.filter(({ name, model }) => name === 'lr' && model === 'resnet');
    expect(rates).toEqual(usual.map(({ value }, i) => (i < 2 ? value : value / 2)));
    expect(last(asked).state.lrFactor).toBe(0.5);
  });

  it('waits while it is paused, and goes on to the same bits', async () => {
    let paused = 0;
    const run = await testRun({
      watch: (event, controls) => {
        if (event.type === 'step' && event.position.step === 2) void controls.request({ control: 'p', action: 'pause' });
        if (event.type !== 'phase' || event.phase !== 'paused') return;
        paused++;
        setTimeout(() => void controls.request({ control: 'r', action: 'resume' }), 5);
      },
    });
    expect(paused).toBe(1);
    expect(run.result.seconds.paused).toBeGreaterThan(0);
    expect(weightsOf(last(run))).toEqual(weightsOf(last(await testRun())));
  });
});
