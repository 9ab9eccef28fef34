import { expect, test } from 'vitest';
import type { LayerCost, Model } from '../nn/contract.js';
import { costOf } from './costs.js';

const layer = (name: string, kind: LayerCost['kind'], parameters: number): LayerCost => ({
  ...{ name, kind, parameters, output: [8, 8, 16] },
  flops: 1000 * parameters,
});

test('norms are no layers of their own, and projections are counted apart', () => {
  const layers = [
    layer('conv1', 'conv', 432),
    layer('bn1', 'norm', 32),
    layer('layer2.0.conv1', 'conv', 4608),
    layer('layer2.0.downsample.0', 'conv', 512),
    layer('fc', 'dense', 650),
  ];
  const model = { side: 'resnet', title: 'ResNet-20', layers } as unknown as Model;
  expect(costOf(model)).toEqual({
    side: 'resnet',
    title: 'ResNet-20',
    parameters: 6234,
    flops: 6_234_000,
    layers: 3,
    projections: 1,
  });
});
