import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { EXIT, type TrainerError } from '../errors.js';
import { architectureOf } from './architecture.js';
import type { LayerCost } from './contract.js';
import { totals } from './cost.js';
import { createModel } from './models.js';
import { useOracle } from './oracle.js';
import type { ModelOptions } from './spec.js';

const options = (changes: Partial<ModelOptions> = {}): ModelOptions => ({
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
});
const cost = (changes: Partial<ModelOptions>) => totals(createModel(options(changes)).layers);
const rows = (changes: Partial<ModelOptions>, name: string): LayerCost[] =>
  createModel(options(changes)).layers.filter((layer) => layer.name === name);

/** A 3x3 convolution with its norm. */
const unit = (inputs: number, outputs: number): number => 9 * inputs * outputs + 2 * outputs;

describe('the cost table', () => {
  it.each([20, 32, 44, 56, 110])('counts the parameters of He et al.’s %i layers', (depth) => {
    const n = (depth - 2) / 6;
    const stages = 2 * n * unit(16, 16) + unit(16, 32) + (2 * n - 1) * unit(32, 32) + unit(32, 64) + (2 * n - 1) * unit(64, 64);
    const withoutShortcuts = unit(3, 16) + stages + 64 * 10 + 10;
    expect(cost({ depth, shortcut: 'A' }).parameters).toBe(withoutShortcuts);
    expect(cost({ depth, side: 'plain' }).parameters).toBe(withoutShortcuts);
    expect(cost({ depth, shortcut: 'B' }).parameters).toBe(withoutShortcuts + 16 * 32 + 64 + 32 * 64 + 128);
  });

  it('gives the published counts', () => {
    expect(cost({ depth: 20, shortcut: 'B' }).parameters).toBe(272_474);
    expect(cost({ depth: 20, shortcut: 'A' }).parameters).toBe(269_722);
    expect(cost({ depth: 110, shortcut: 'A' }).parameters).toBe(1_727_962);
    expect(cost({ depth: 18, arch: 'imagenet' }).parameters).toBe(11_173_962);
    expect(cost({ depth: 34, arch: 'imagenet' }).parameters).toBe(21_282_122);
  });

  it('counts two operations a multiply-add and two a normalized value', () => {
    const [pixels1, pixels2, pixels3] = [32 * 32, 16 * 16, 8 * 8];
    const layer = (inputs: number, outputs: number, pixels: number): number => (18 * inputs * outputs + 2 * outputs) * pixels;
    const stage1 = layer(3, 16, pixels1) + 6 * layer(16, 16, pixels1);
    const stage2 = layer(16, 32, pixels2) + 5 * layer(32, 32, pixels2);
    const stage3 = layer(32, 64, pixels3) + 5 * layer(64, 64, pixels3);
    expect(cost({ side: 'plain' }).flops).toBe(stage1 + stage2 + stage3 + 2 * 64 * 10);
    const shortcuts = (2 * 16 * 32 + 2 * 32) * pixels2 + (2 * 32 * 64 + 2 * 64) * pixels3;
    expect(cost({ side: 'resnet' }).flops - cost({ side: 'plain' }).flops).toBe(shortcuts);
  });

  it('halves odd sizes up', () => {
    expect(rows({ imageSize: [9, 7] }, 'layer2.0.conv1')[0]!.output).toEqual([5, 4, 32]);
    expect(rows({ imageSize: [9, 7] }, 'layer3.2.conv2')[0]!.output).toEqual([3, 2, 64]);
  });

  it('counts a bias for each convolution where there is no norm', () => {
    expect(rows({ norm: 'none' }, 'conv1')[0]!.parameters).toBe(27 * 16 + 16);
    expect(rows({ norm: 'none' }, 'bn1')).toEqual([]);
  });

  it('counts attention: hidden units a sixteenth of the channels, at least four', () => {
    const dense = (inputs: number, outputs: number): number => inputs * outputs;
    const perBlock = (c: number): number => 2 * dense(c, 4) + 4 + c;
    const three = [16, 32, 64].map((c) => 3 * perBlock(c)).reduce((a, b) => a + b, 0);
    expect(cost({ attention: 'se' }).parameters - cost({}).parameters).toBe(three);
    const [fc1] = rows({ attention: 'se', arch: 'imagenet', depth: 18 }, 'layer4.0.se.fc1');
    expect(fc1).toMatchObject({ output: [1, 1, 32], parameters: 512 * 32 + 32, flops: 2 * 512 * 32 });
    const cbam = [16, 32, 64].map((c) => 3 * (2 * dense(c, 4) + 98)).reduce((a, b) => a + b, 0);
    expect(cost({ attention: 'cbam' }).parameters - cost({}).parameters).toBe(cbam);
    expect(rows({ attention: 'cbam' }, 'layer1.0.ca.fc2')[0]!.flops).toBe(2 * 2 * 4 * 16);
    expect(rows({ attention: 'cbam' }, 'layer1.0.sa.conv1')[0]!.flops).toBe(2 * 98 * 32 * 32);
  });

  it.each(['none', 'se', 'cbam'] as const)('agrees with the values that a network with attention %s starts from', (attention) => {
    for (const norm of ['batch', 'none'] as const) {
      const model = createModel(options({ attention, norm, depth: 8 }));
      const trained = Object.values(model.initialize(1)).filter((value) => value.trainable);
      expect(trained.reduce((sum, { data }) => sum + data.length, 0)).toBe(totals(model.layers).parameters);
    }
  });
});

describe('the width multiplier', () => {
  it('scales every stage and rounds', () => {
    const { shape } = createModel(options({ width: 0.4 })).initialize(1)['layer2.0.conv1.weight']!;
    expect(shape).toEqual([3, 3, 6, 13]);
  });

  it('leaves at least one channel', () => {
    expect(createModel(options({ width: 0.01 })).initialize(1)['conv1.weight']!.shape).toEqual([3, 3, 3, 1]);
  });
});

describe('depths', () => {
  it('belong to the family that has them', () => {
    expect([18, 34].map(architectureOf)).toEqual(['imagenet', 'imagenet']);
    expect([8, 20, 56, 110].map(architectureOf)).toEqual(['cifar', 'cifar', 'cifar', 'cifar']);
  });

  it('that no family has are refused as wrong usage, with those there are', () => {
    const refusal = (call: () => unknown): TrainerError => {
      try {
        call();
      } catch (error) {
        return error as TrainerError;
      }
      throw new Error('nothing was thrown');
    };
    for (const depth of [2, 19, 52]) {
      const error = refusal(() => architectureOf(depth));
      expect(error.exitCode).toBe(EXIT.usage);
      expect(error.message).toBe(
        `no network has depth ${depth}: choose 18 or 34, or 6n+2 layers: 8, 14, 20, 32, 44, 56, 110, ...`,
      );
    }
    expect(refusal(() => createModel(options({ arch: 'imagenet', depth: 20 }))).message).toBe(
      'the imagenet family has no depth 20: choose 18 or 34',
    );
  });
});

describe('titles', () => {
  it('name the family, the depth and the attention', () => {
    const title = (changes: Partial<ModelOptions>) => createModel(options(changes)).title;
    expect([
      title({}),
      title({ side: 'plain' }),
      title({ attention: 'se' }),
      title({ side: 'plain', attention: 'cbam' }),
    ]).toEqual(['ResNet-20', 'Plain-20', 'SE-ResNet-20', 'CBAM-Plain-20']);
  });
});

describe('a forward pass', () => {
  useOracle();

  it('takes images of any size, and of one pixel', () => {
    const model = createModel(options({ depth: 8, width: 0.25, attention: 'cbam', classes: 3 }));
    const values = Object.fromEntries(
      Object.entries(model.initialize(1)).map(([name, { shape, data }]) => [name, tf.variable(tf.tensor(data, [...shape]))]),
    );
    for (const [h, w] of [
      [7, 5],
      [1, 1],
      [16, 3],
    ] as const)
      expect(model.apply(values, tf.ones([2, h, w, 3]), true).shape).toEqual([2, 3]);
  });

  it('names the value that is missing', () => {
    const model = createModel(options({ depth: 8 }));
    expect(() => model.apply({}, tf.ones([1, 4, 4, 3]), false)).toThrow('the model has no value named conv1.weight');
  });
});
