import type { RunConfig } from '@trainer/protocol';
import { describe, expect, it } from 'vitest';
import type { Contribution, ExchangeMemory, ExchangeTimes } from '../../allreduce/contract.js';
import type { ImageSet } from '../../data/contract.js';
import { randomStream } from '../../random.js';
import type { ModelTensors } from '../../report/contract.js';
import { testConfig } from '../../report/test-config.js';
import { SimulatedClock } from '../../simulation/clock.js';
import type { Clock } from '../../time.js';
import type { DeviceModel } from '../device.js';
import type { Batch } from '../graphs.js';
import { type FakeDeviceOptions, openFakeDevice } from './fake-device.js';

const CONFIG: RunConfig = { ...testConfig(), depth: 8, arch: 'cifar', width: 0.25, freeze: ['conv1'], momentum: 0.9 };
const CLASSES = ['a', 'b', 'c'];

function randomImages(count: number, seed = 0): ImageSet {
  const random = randomStream(seed, 'images');
  const images = Uint8Array.from({ length: count * 8 * 8 * 3 }, () => random.below(256));
  return { count, height: 8, width: 8, images, labels: Int32Array.from({ length: count }, () => random.below(3)) };
}

const SET = randomImages(64);

const batchOf = (start: number, count: number, set = SET): Batch => ({
  images: { shape: [count, 8, 8, 3], dtype: 'uint8', data: set.images.subarray(start * 192, (start + count) * 192) },
  labels: { shape: [count], dtype: 'int32', data: set.labels.subarray(start, start + count) },
});

async function open(options: FakeDeviceOptions = {}, rank = 0, clock?: Clock) {
  const device = await openFakeDevice(options, rank, clock);
  const models = device.build({ config: CONFIG, classes: CLASSES, train: SET, test: SET }, 1);
  for (const model of models) model.setPixels({ mean: [1, 2, 3], std: [1, 1, 1] });
  return models as readonly [DeviceModel, DeviceModel];
}

const open1 = async (options?: FakeDeviceOptions, rank?: number): Promise<DeviceModel> => (await open(options, rank))[0];

const allOf = ({ values, velocities }: ModelTensors): Float32Array[] =>
  [...Object.values(values), ...Object.values(velocities)].map(({ data }) => data);
const bitsOf = (model: DeviceModel): string =>
  allOf(model.snapshot())
    .map((data) => Buffer.from(data.buffer).toString('base64'))
    .join();

/** An exchange of ranks in one thread. */
function exchangeOf(ranks: number) {
  let waiting: { contribution: Contribution; into: ExchangeMemory; resolve: (times: ExchangeTimes) => void }[] = [];
  return (contribution: Contribution, into: ExchangeMemory): Promise<ExchangeTimes> =>
    new Promise((resolve) => {
      waiting.push({ contribution, into, resolve });
      if (waiting.length < ranks) return;
      const all = waiting;
      waiting = [];
      average(all.map((one) => one.contribution)).forEach((mean, i) => {
        for (const { into } of all) [...into.gradients, ...into.exact][i]!.set(mean);
      });
      for (const one of all) one.resolve({ packMs: 0, waitMs: 0, reduceMs: 0, unpackMs: 0 });
    });
}

function average(contributions: readonly Contribution[]): Float32Array[] {
  const total = contributions.reduce((sum, { examples }) => sum + examples, 0);
  const arrays = contributions.map(({ gradients, exact }) => [...gradients, ...exact]);
  return arrays[0]!.map((first, i) =>
    first.map((_, k) => {
      let sum = 0;
      contributions.forEach(({ examples }, rank) => {
        if (examples > 0) sum += (examples / total) * arrays[rank]![i]![k]!;
      });
      return sum;
    }),
  );
}

/** Steps of ranks together, the shards of each step by rank. */
async function trainTogether(models: readonly DeviceModel[], shards: readonly (readonly Batch[])[], steps: number) {
  const exchange = exchangeOf(models.length);
  const examples = shards.flat().reduce((sum, { labels }) => sum + labels.data.length, 0);
  for (let step = 1; step < steps; step++)
    await Promise.all(models.map((model, rank) => model.trainShared({ batches: shards[rank]!, lr: 0.1, exchange, examples })));
  return Promise.all(models.map((model, rank) => model.trainShared({ batches: shards[rank]!, lr: 0.1, exchange, examples })));
}

describe('a fake device', () => {
  it("makes models of the configuration's names and shapes", async () => {
    const [resnet, plain] = await open();
    expect([resnet.side, plain.side, resnet.title]).toEqual(['resnet', 'plain', 'ResNet-8']);
    const { values, velocities } = resnet.snapshot();
    expect(values['fc.weight']!.shape).toEqual([16, 3]);
    expect(values['bn1.running_mean']!.shape).toEqual([4]);
    expect(Object.keys(velocities)).not.toContain('conv1.weight');
    expect(resnet.layout.gradients).toEqual(Object.values(velocities).map(({ data }) => data.length));
  });

  it('gives the same bits for the same batches, and others where a byte, a label, or the normalization differs', async () => {
    const after = async (batch: Batch, pixels = 1): Promise<string> => {
      const model = await open1();
      model.setPixels({ mean: [pixels, 2, 3], std: [1, 1, 1] });
      for (let step = 0; step < 3; step++) await model.train(batch, 0.1);
      return bitsOf(model);
    };
    const other = { ...SET, images: SET.images.slice(), labels: SET.labels.slice() };
    other.images[100]! ^= 1;
    other.labels[7]! += 1;
    const once = await after(batchOf(0, 4));
    expect(await after(batchOf(0, 4))).toBe(once);
    expect(await after(batchOf(0, 4, other))).not.toBe(once);
    expect(await after(batchOf(4, 4, other))).not.toBe(await after(batchOf(4, 4)));
    expect(await after(batchOf(0, 4), 9)).not.toBe(once);
  });

  it('learns what it is shown, as its evaluation says too', async () => {
    const model = await open1();
    const first = await model.train(batchOf(0, 64), 0.05);
    const before = await model.evaluate(batchOf(0, 64), 64);
    for (let step = 0; step < 60; step++) await model.train(batchOf(0, 64), 0.05);
    const last = await model.train(batchOf(0, 64), 0.05);
    const after = await model.evaluate(batchOf(0, 64), 64);
    expect(last.loss).toBeLessThan(first.loss / 2);
    expect(last.correct).toBeGreaterThan(first.correct);
    expect(after.loss).toBeLessThan(before.loss / 2);
    const parts = [await model.evaluate(batchOf(0, 64), 10), await model.evaluate(batchOf(10, 54), 54)];
    expect(parts[0]!.loss + parts[1]!.loss).toBeCloseTo(after.loss, 4);
    expect(parts[0]!.correct + parts[1]!.correct).toBe(after.correct);
    expect(model.norms.length).toBeGreaterThan(5);
    expect(model.norms.every(({ gradient, weights, step }) => gradient > 0 && weights > 0 && step > 0)).toBe(true);
  });

  it('on uneven shards, in parts or empty, trains as on the whole batch to rounding, all ranks to the same bits', async () => {
    const alone = await open1();
    let whole = await alone.train(batchOf(0, 64), 0.1);
    for (let step = 1; step < 5; step++) whole = await alone.train(batchOf(0, 64), 0.1);
    const models = await Promise.all([0, 1, 2, 3].map((rank) => open1({}, rank)));
    const shards = [[batchOf(0, 30), batchOf(30, 11)], [batchOf(41, 20)], [], [batchOf(61, 3)]];
    const outcomes = await trainTogether(models, shards, 5);
    for (const { loss, correct } of outcomes) {
      expect(loss).toBeCloseTo(whole.loss, 5);
      expect(correct).toBe(whole.correct);
    }
    expect(new Set(models.map(bitsOf)).size).toBe(1);
    const [ours, theirs] = [allOf(alone.snapshot()), allOf(models[0]!.snapshot())];
    ours.forEach((data, i) => {
      data.forEach((x, k) => {
        if (Math.abs(x - theirs[i]![k]!) > 1e-5) throw new Error(`${x} is ${theirs[i]![k]}`);
      });
    });
  });

  it('moves running statistics, which no velocity has', async () => {
    const model = await open1();
    const before = model.snapshot().values['bn1.running_mean']!.data;
    await model.train(batchOf(0, 8), 0.1);
    expect(model.snapshot().values['bn1.running_mean']!.data).not.toEqual(before);
    expect(Object.keys(model.snapshot().velocities)).not.toContain('bn1.running_mean');
  });

  it('goes on from a snapshot as if never stopped', async () => {
    const model = await open1();
    const steps = async (of: DeviceModel, from: number, to: number): Promise<void> => {
      for (let step = from; step < to; step++) await of.train(batchOf(step, 8), 0.1);
    };
    await steps(model, 0, 4);
    const snapshot = model.snapshot();
    expect(allOf(snapshot).every(({ buffer }) => buffer instanceof SharedArrayBuffer)).toBe(true);
    const other = await open1();
    other.restore(snapshot, 'a test');
    await steps(model, 4, 9);
    await steps(other, 4, 9);
    expect(bitsOf(other)).toBe(bitsOf(model));
    expect(model.snapshot(snapshot)).toBe(snapshot);
    expect(allOf(snapshot)).toEqual(allOf(other.snapshot()));
  });

  it('refuses the weights of another model', async () => {
    const [resnet] = await open();
    const snapshot = resnet.snapshot();
    const { 'fc.bias': _, ...values } = snapshot.values;
    expect(() => resnet.restore({ ...snapshot, values }, 'last/')).toThrow('last/ has no fc.bias of shape [3]');
  });

  it('takes simulated time for its steps, by seed and rank', async () => {
    const times = async (seed: number, rank: number): Promise<number[]> => {
      const clock = new SimulatedClock();
      const [model] = await open({ seed, stepMs: [10, 50] }, rank, clock);
      const lengths: number[] = [];
      for (let step = 0; step < 5; step++) {
        const began = clock.now();
        const trained = model.train(batchOf(0, 8), 0.1).then(() => lengths.push(clock.now() - began));
        await clock.advance(60);
        await trained;
      }
      return lengths;
    };
    const once = await times(1, 0);
    expect(once.every((ms) => ms >= 10 && ms <= 50)).toBe(true);
    expect(await times(1, 0)).toEqual(once);
    expect(await times(2, 0)).not.toEqual(once);
    expect(await times(1, 1)).not.toEqual(once);
  });
});

describe('the faults of a fake device', () => {
  const at = { rank: 0, step: 2 } as const;

  it('happen at their rank, step and side alone, and once', async () => {
    const options: FakeDeviceOptions = { faults: [{ ...at, phase: 'apply', side: 'plain', do: 'throw' }] };
    const [resnet, plain] = await open(options);
    const [elsewhere] = await open(options, 1);
    for (let step = 0; step < 3; step++) await Promise.all([resnet, elsewhere].map((model) => model.train(batchOf(0, 8), 0.1)));
    await plain.train(batchOf(0, 8), 0.1);
    await expect(plain.train(batchOf(0, 8), 0.1)).rejects.toThrow('rank 0 throws as it was told to, in apply of step 2');
    await plain.train(batchOf(0, 8), 0.1);
  });

  it('count steps from where weights were placed', async () => {
    const model = await open1({ faults: [{ ...at, phase: 'gradients', do: 'throw' }] });
    await model.train(batchOf(0, 8), 0.1);
    model.restore(model.snapshot(), 'a test');
    await model.train(batchOf(0, 8), 0.1);
    await expect(model.train(batchOf(0, 8), 0.1)).rejects.toThrow('of step 2');
  });

  it('spoil weights and losses', async () => {
    const nan = await open1({ faults: [{ ...at, phase: 'gradients', do: 'nan' }] });
    await nan.train(batchOf(0, 8), 0.1);
    expect((await nan.train(batchOf(0, 8), 0.1)).loss).toBeNaN();
    expect(allOf(nan.snapshot()).some((data) => Number.isNaN(data[0]))).toBe(true);
    const evaluation = await open1({ faults: [{ ...at, step: 0, phase: 'evaluate', do: 'nan' }] });
    expect((await evaluation.evaluate(batchOf(0, 8), 8)).loss).toBeNaN();
    expect((await evaluation.evaluate(batchOf(0, 8), 8)).loss).not.toBeNaN();
  });

  it.each(['apply', 'place', 'snapshot'] as const)('let one rank go astray in %s', async (phase) => {
    const models = await Promise.all([0, 1].map((rank) => open1({ faults: [{ rank: 1, step: 0, phase, do: 'corrupt' }] }, rank)));
    const start = (await open1()).snapshot();
    for (const model of models) model.restore(start, 'a test');
    await trainTogether(models, [[batchOf(0, 8)], [batchOf(8, 8)]], 1);
    expect(bitsOf(models[0]!)).not.toBe(bitsOf(models[1]!));
    expect(allOf(models[1]!.snapshot()).every((data) => data.every(Number.isFinite))).toBe(true);
  });
});
