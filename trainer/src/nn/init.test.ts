import { describe, expect, it } from 'vitest';
import type { InitialValue, ParameterRecord } from './contract.js';
import { createModel } from './models.js';
import type { ModelOptions } from './spec.js';

const start = (changes: Partial<ModelOptions> = {}, seed = 42): ParameterRecord<InitialValue> =>
  createModel({
    side: 'resnet',
    arch: 'cifar',
    depth: 20,
    width: 1,
    shortcut: 'B',
    norm: 'batch',
    attention: 'none',
    zeroGamma: false,
    classes: 10,
    imageSize: [32, 32],
    ...changes,
  }).initialize(seed);

const moments = (data: Float32Array): { mean: number; variance: number } => {
  const mean = data.reduce((a, b) => a + b, 0) / data.length;
  return { mean, variance: data.reduce((a, b) => a + (b - mean) ** 2, 0) / data.length };
};

describe('first values', () => {
  it('are these for ever', () => {
    const values = start();
    expect(Array.from(values['conv1.weight']!.data.slice(0, 3))).toEqual([
      -0.06412874907255173, 0.04448572173714638, 0.07198506593704224,
    ]);
    expect(Array.from(values['fc.bias']!.data.slice(0, 2))).toEqual([0.04080038145184517, 0.09998329728841782]);
  });

  it.each([
    { arch: 'cifar', depth: 20, shortcut: 'B' },
    { arch: 'cifar', depth: 20, shortcut: 'A' },
    { arch: 'cifar', depth: 8, shortcut: 'B', attention: 'cbam' },
    { arch: 'imagenet', depth: 18, shortcut: 'B', width: 0.125, attention: 'se' },
  ] as const)('are the same bytes in both twins, for every layer that both have: %o', (options) => {
    const [residual, plain] = [start(options), start({ ...options, side: 'plain' })];
    const extra = Object.keys(residual).filter((name) => !(name in plain));
    expect(extra.filter((name) => !name.includes('downsample'))).toEqual([]);
    expect(extra.length > 0).toBe(options.shortcut === 'B');
    for (const [name, value] of Object.entries(plain)) expect(residual[name], name).toEqual(value);
  });

  it('differ by seed and by layer', () => {
    const [a, b] = [start(), start({}, 43)];
    expect(a['conv1.weight']!.data).not.toEqual(b['conv1.weight']!.data);
    expect(a['layer1.0.conv1.weight']!.data).not.toEqual(a['layer1.0.conv2.weight']!.data);
  });

  it('do not depend on which other layers there are', () => {
    expect(start({ depth: 8 })['layer1.0.conv1.weight']).toEqual(start({ depth: 56 })['layer1.0.conv1.weight']);
  });

  it('of convolutions have He’s variance, 2 / (side² outputs), and mean 0', () => {
    const values = start({ width: 4, depth: 8, attention: 'cbam' });
    for (const name of [
      'conv1',
      'layer2.0.conv1',
      'layer3.0.conv2',
      'layer3.0.downsample.0',
      'layer3.0.ca.fc1',
      'layer1.0.sa.conv1',
    ]) {
      const { shape, data } = values[`${name}.weight`]!;
      const [h, w, , outputs] = shape as [number, number, number, number];
      const expected = 2 / (h * w * outputs);
      const { mean, variance } = moments(data);
      // Four deviations of the mean and of the variance of a normal sample.
      expect(Math.abs(mean), name).toBeLessThan(4 * Math.sqrt(expected / data.length));
      expect(Math.abs(variance / expected - 1), name).toBeLessThan(4 * Math.sqrt(2 / data.length));
    }
  });

  it('of the dense layer are uniform within 1 / sqrt(features)', () => {
    const { data } = start({ width: 2, classes: 100 })['fc.weight']!;
    const bound = 1 / Math.sqrt(128);
    expect(data.every((v) => Math.abs(v) <= bound)).toBe(true);
    expect(Math.abs(moments(data).variance / (bound ** 2 / 3) - 1)).toBeLessThan(0.05);
  });

  it('of norms are the identity, of biases 0', () => {
    const values = start({ attention: 'se' });
    expect(new Set(values['bn1.weight']!.data)).toEqual(new Set([1]));
    expect(new Set(values['bn1.running_var']!.data)).toEqual(new Set([1]));
    for (const name of ['bn1.bias', 'bn1.running_mean', 'layer1.0.se.fc1.bias'])
      expect(new Set(values[name]!.data), name).toEqual(new Set([0]));
    expect(values['bn1.running_mean']!.trainable).toBe(false);
    expect(start({ norm: 'none' })['conv1.bias']!.data).toEqual(new Float32Array(16));
  });

  it('silence the last norm of each block where asked for, in residual nets alone', () => {
    const zeros = (changes: Partial<ModelOptions>): string[] =>
      Object.entries(start(changes))
        .filter(([name, { data }]) => /bn\d\.weight$|downsample\.1\.weight$/.test(name) && data.every((v) => v === 0))
        .map(([name]) => name);
    expect(zeros({ depth: 8, zeroGamma: true })).toEqual(['layer1.0.bn2.weight', 'layer2.0.bn2.weight', 'layer3.0.bn2.weight']);
    expect(zeros({ depth: 8, zeroGamma: true, side: 'plain' })).toEqual([]);
    expect(zeros({ depth: 8 })).toEqual([]);
  });
});
