import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunConfig, RunConfigSchema } from '@trainer/protocol';
import { describe, expect, test } from 'vitest';
import { type Completion, completeConfig, refuseContradictions, refuseTooManyRanks } from '../settings/complete.js';
import type { StartOptions } from '../settings/contract.js';
import { renderConfig } from './print-config.js';
import { type RawFlags, resolveStart } from './resolve.js';

const asked = (flags: RawFlags): Promise<StartOptions> => resolveStart(flags, { env: {}, cwd: '/nowhere', home: '/nowhere' });

const complete = async (flags: RawFlags, completion: Completion = { preset: 'full' }) =>
  completeConfig(await asked(flags), completion);

describe('presets', () => {
  test.each<[string, Partial<RunConfig>]>([
    ['full', { arch: 'imagenet', depth: 18, epochs: 50, batchSize: 128, lr: 0.1, weightDecay: 5e-4, schedule: 'cosine' }],
    ['he', { arch: 'cifar', shortcut: 'A', maxSteps: 64_000, lr: 0.1, weightDecay: 1e-4, schedule: 'step', momentum: 0.9 }],
    ['quick', { arch: 'cifar', depth: 20, batchSize: 128, schedule: 'cosine' }],
  ])('%s is what it says', async (preset, values) => {
    const { config } = await complete({ preset });
    expect(config).toMatchObject({ ...values, preset });
  });

  test('every preset is a whole configuration', async () => {
    for (const preset of ['full', 'he', 'quick'])
      expect(RunConfigSchema.safeParse((await complete({ preset })).config).success).toBe(true);
  });

  test('what was asked beats what was fitted beats the preset beats the default', async () => {
    const { config, origins } = await complete(
      { depth: '56' },
      { preset: 'quick', because: 'there is no GPU', sized: { depth: 32, epochs: 9 } },
    );
    expect(config).toMatchObject({ depth: 56, epochs: 9, limitTest: 2000, momentum: 0.9, preset: 'quick' });
    expect(origins).toMatchObject({
      depth: 'flag --depth',
      epochs: 'preset quick, fitted to this machine',
      limitTest: 'preset quick',
      momentum: 'default',
      preset: 'chosen: there is no GPU',
    });
  });

  test('a preset that was asked for is taken instead of the chosen one', async () => {
    const { config, origins } = await complete({ preset: 'he' }, { preset: 'quick', because: 'there is no GPU' });
    expect([config.preset, origins.preset]).toEqual(['he', 'flag --preset']);
  });

  test("none takes a preset's limit away", async () => {
    expect((await complete({ preset: 'he', maxSteps: 'none' })).config.maxSteps).toBeNull();
  });
});

describe('family and depth', () => {
  test.each([
    ['34', 'imagenet'],
    ['20', 'cifar'],
    ['110', 'cifar'],
  ])('depth %s belongs to %s', async (depth, arch) => {
    const { config, origins } = await complete({ depth });
    expect([config.arch, origins.arch]).toEqual([arch, 'follows from depth']);
  });

  test('the family alone chooses a depth of its own', async () => {
    const { config, origins } = await complete({ arch: 'cifar' });
    expect([config.depth, origins.depth]).toEqual([20, 'follows from arch cifar']);
    expect((await complete({ arch: 'imagenet' }, { preset: 'quick' })).config.depth).toBe(18);
  });
});

describe('contradictions', () => {
  test.each<[RawFlags, string]>([
    [{ depth: '21' }, 'no network has depth 21'],
    [
      { depth: '20', arch: 'imagenet' },
      'depth 20 (flag --depth) is not of the imagenet family (flag --arch): leave --arch out, or choose --depth 18 or 34',
    ],
    [
      { preset: 'he', depth: '18' },
      "preset he (flag --preset) is He et al.'s recipe for the cifar family, which has no depth 18",
    ],
    [{ targetAcc: '90', valSplit: '0' }, 'target-acc 90 (flag --target-acc) is about validation accuracy, but val-split is 0'],
    [{ batchSize: '512', limitTrain: '500' }, 'batch-size 512 (flag --batch-size) is larger than the training data'],
    [{ zeroGamma: true, norm: 'none' }, 'zero-gamma true (flag --zero-gamma) needs a norm'],
    [{ zeroGamma: true, model: 'plain' }, 'zero-gamma true (flag --zero-gamma) is of the residual net alone'],
    [{ warmup: '5', epochs: '5' }, 'warmup 5 (flag --warmup) takes the whole run of 5 epochs (flag --epochs)'],
    [
      { workers: '2', gpus: 'all' },
      'workers 2 (flag --workers) puts the ranks on the CPU, gpus all (flag --gpus) on GPUs: leave one out, or set it to none',
    ],
    [{ gpus: '2', engine: 'wasm' }, 'gpus 2 (flag --gpus) needs TensorFlow, but engine is wasm (flag --engine)'],
    [{ syncBn: true, norm: 'none' }, 'sync-bn true (flag --sync-bn) needs a norm whose statistics it shares'],
    [
      { workers: '4', batchSize: '3' },
      'batch-size 3 (flag --batch-size) is less than an image for each of 4 ranks: raise --batch-size to 4, or ask for fewer',
    ],
    [
      { gpus: '0,2', accumulate: '2', batchSize: '3' },
      'batch-size 3 (flag --batch-size) is less than an image for each of 2 ranks, each in 2 parts (--accumulate): raise --batch-size to 4',
    ],
  ])('%j is refused on every machine, before anything is loaded', async (flags, message) => {
    const options = await asked(flags);
    expect(() => refuseContradictions(options)).toThrow(message);
  });

  test('what is only wrong with one preset waits until the preset is known', async () => {
    // 20,000 images a step are too many for the 10,000 of `quick`, not for all of `full`.
    const options = await asked({ batchSize: '20000' });
    expect(() => refuseContradictions(options)).not.toThrow();
    expect(() => completeConfig(options, { preset: 'quick' })).toThrow('limit-train 10000 (preset quick)');
  });
});

test('ranks that turn out to be more than a batch has images are refused', async () => {
  const { config } = await complete({ gpus: 'all', batchSize: '6', accumulate: '2' });
  expect(() => refuseTooManyRanks(config, 3)).not.toThrow();
  expect(() => refuseTooManyRanks(config, 4)).toThrow('batch-size 6 is less than an image for each of 4 ranks');
});

test('--fast-dev-run tries every phase on a few batches, whatever else was asked', async () => {
  const { config, origins } = await complete({ fastDevRun: true, epochs: '9', warmup: '2', batchSize: '10', valSplit: '0.5' });
  expect(config).toMatchObject({ epochs: 1, maxSteps: 3, limitTrain: 80, limitTest: 40, warmup: 0, keep: 1, checkpointEvery: 1 });
  expect(origins.epochs).toBe('flag --fast-dev-run');
});

describe('--print-config', () => {
  test('says where each value comes from, and can be read back as a configuration file', async () => {
    const options = await asked({ depth: '56', notes: 'a: "b" # c', tags: 'yes,x', name: '123', maxTime: '00:01:00' });
    const first = completeConfig(options, { preset: 'he' });
    const text = renderConfig(first, options);
    expect(text).toMatch(/^depth: 56 +# flag --depth$/m);
    expect(text).toMatch(/^lr: 0.1 +# preset he$/m);
    expect(text).toMatch(/^momentum: 0.9 +# default$/m);

    const folder = mkdtempSync(join(tmpdir(), 'trainer-config-'));
    writeFileSync(join(folder, 'printed.yaml'), text);
    const again = await resolveStart({ config: 'printed.yaml' }, { env: {}, cwd: folder, home: folder });
    rmSync(folder, { recursive: true });
    expect(completeConfig(again, { preset: 'full' }).config).toEqual(first.config);
    expect(again.run).toEqual(options.run);
  });

  test('is one document with --json', async () => {
    const options = await asked({ json: true, batchSize: '64' });
    const document = JSON.parse(renderConfig(completeConfig(options, { preset: 'full' }), options));
    expect(document.batch_size).toEqual({ value: 64, origin: 'flag --batch-size' });
    expect(document.model).toEqual({ value: ['resnet', 'plain'], origin: 'default' });
  });
});
