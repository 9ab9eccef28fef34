import { describe, expect, it } from 'vitest';
import { testConfig } from '../report/test-config.js';
import { createModels, initialValues } from '../worker/pair.js';
import { firstWeights } from './weights.js';

const config = testConfig({ depth: 8, width: 0.25, seed: 5 });
const models = createModels(config, {
  classes: ['a', 'b'],
  train: { count: 0, height: 8, width: 8, images: new Uint8Array(), labels: new Int32Array() },
});
const drawn = firstWeights({ models, config });
const checkpoint = { state: {} as never, models: { resnet: drawn.models.resnet! } };
const resumed = (sides: object) => ({
  path: 'run',
  config,
  checkpointPath: 'run/checkpoints/3',
  checkpoint: { ...checkpoint, models: sides },
});

describe('first weights', () => {
  it('are drawn from the seed, at rest, in memory that threads share', () => {
    const { values, velocities } = drawn.models.resnet!;
    const expected = initialValues(models[0]!, 5);
    for (const [name, { data }] of Object.entries(values)) {
      expect(data).toEqual(expected[name]!.data);
      expect(data.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect(velocities[name]!.data.every((value) => value === 0)).toBe(true);
    }
  });

  it('are told apart by their hashes', () => {
    const other = firstWeights({ models, config: { ...config, seed: 6 } });
    expect(firstWeights({ models, config }).hashes).toEqual(drawn.hashes);
    expect(other.hashes.resnet).not.toBe(drawn.hashes.resnet);
    expect(drawn.hashes.plain).not.toBe(drawn.hashes.resnet);
  });

  it('are those of the checkpoint where a run goes on, whatever was drawn', () => {
    const one = { shape: [1], data: Float32Array.of(7) };
    const saved = { values: { 'fc.bias': one }, velocities: { 'fc.bias': { shape: [1], data: Float32Array.of(8) } } };
    const {
      models: placed,
      source,
      hashes,
    } = firstWeights({
      models,
      config,
      given: undefined,
      resumed: resumed({ resnet: saved, plain: saved }),
    });
    expect(placed.plain).toEqual(saved);
    expect(placed.plain!.values['fc.bias']!.data.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(source).toBe('run/checkpoints/3');
    expect(hashes).toEqual(drawn.hashes);
  });

  it('cannot be those of a checkpoint that lacks a model', () => {
    expect(() => firstWeights({ models, config, given: undefined, resumed: resumed({ resnet: drawn.models.resnet }) })).toThrow(
      'run/checkpoints/3 has no plain model',
    );
  });
});
