import { expect, test } from 'vitest';
import type { Contribution } from '../../allreduce/contract.js';
import { testConfig } from '../../report/test-config.js';
import type { DeviceModel } from '../device.js';
import type { BuildRequest } from '../rank-protocol.js';
import { openFakeDevice } from './fake-device.js';

const images = { count: 2, height: 32, width: 32, images: new Uint8Array(2 * 3072), labels: new Int32Array(2) };
const request: BuildRequest = {
  config: testConfig({ depth: 8, freeze: ['conv1'] }),
  ...{ classes: ['a', 'b'], train: images, test: images },
};
const batch = (count: number) =>
  ({
    images: { shape: [count, 32, 32, 3], dtype: 'uint8', data: images.images.subarray(0, count * 3072) },
    labels: { shape: [count], dtype: 'int32', data: images.labels.subarray(0, count) },
  }) as const;

async function resnet(idle: boolean): Promise<DeviceModel> {
  const device = await openFakeDevice({ idle, stepMs: [0, 6] }, 0);
  return device.build(request, 2)[0]!;
}

test('what an idle device exchanges has the layout of the model', async () => {
  const [idle, fake] = await Promise.all([resnet(true), resnet(false)]);
  expect(idle.layout).toEqual(fake.layout);
  expect(idle.title).toBe('ResNet-8');
});

test('it hands over memory of that layout, its examples, and memory of its own for the mean', async () => {
  const model = await resnet(true);
  const seen: Contribution[] = [];
  await model.trainShared({
    batches: [batch(2), batch(1)],
    examples: 6,
    lr: 1,
    exchange: async (contribution, into) => {
      expect(into.gradients.map(({ length }) => length)).toEqual(model.layout.gradients);
      expect(into.gradients[0]).not.toBe(contribution.gradients[0]);
      seen.push(contribution);
      return { packMs: 0, waitMs: 0, reduceMs: 0, unpackMs: 0 };
    },
  });
  expect(seen[0]!.examples).toBe(3);
  expect(seen[0]!.gradients.map(({ length }) => length)).toEqual(model.layout.gradients);
  expect(seen[0]!.exact.map(({ length }) => length)).toEqual(model.layout.exact);
});

test('a step lasts no less than it is told to, alone or with others', async () => {
  const model = await resnet(true);
  const lasts = async (step: () => Promise<unknown>): Promise<number> => {
    const began = performance.now();
    await step();
    return performance.now() - began;
  };
  // The kernel's wait may end some microseconds early.
  expect(await lasts(() => model.train(batch(1), 1))).toBeGreaterThan(5.9);
});
