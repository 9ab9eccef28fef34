import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TrainerError } from '../errors.js';
import { resolveCommand, resolveStart } from './resolve.js';

let folder: string;
let home: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trainer-resolve-'));
  home = join(folder, 'home');
  mkdirSync(join(home, '.config/trainer'), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const resolve = (flags: Parameters<typeof resolveStart>[0] = {}, env: NodeJS.ProcessEnv = {}) =>
  resolveStart(flags, { env, cwd: folder, home });

const complaint = async (flags: Parameters<typeof resolveStart>[0] = {}, env: NodeJS.ProcessEnv = {}): Promise<string> => {
  const error: unknown = await resolve(flags, env).then(
    () => undefined,
    (caught) => caught,
  );
  expect(error).toBeInstanceOf(TrainerError);
  expect(error).toHaveProperty('exitCode', 2);
  const { message } = error as TrainerError;
  expect(message).not.toContain('\n');
  return message.replaceAll(`${folder}/`, '');
};

describe('precedence', () => {
  test('a flag beats the environment beats the project file beats the user file', async () => {
    write('home/.config/trainer/config.yaml', 'lr: 0.4\nmomentum: 0.4\nwarmup: 4\nseed: 4');
    const project = write('trainer.yaml', 'lr: 0.3\nmomentum: 0.3\nwarmup: 3');
    const { config, origins } = await resolve({ lr: '0.1' }, { TRAINER_LR: '0.2', TRAINER_MOMENTUM: '0.2' });
    expect(config).toEqual({ lr: 0.1, momentum: 0.2, warmup: 3, seed: 4 });
    expect(origins).toEqual({
      lr: 'flag --lr',
      momentum: 'TRAINER_MOMENTUM',
      warmup: `${project}:3`,
      seed: `${join(home, '.config/trainer/config.yaml')}:4`,
    });
  });

  test('--config takes the place of the project file', async () => {
    write('trainer.yaml', 'depth: 20\nlr: 0.3');
    write('other.toml', 'depth = 56');
    expect((await resolve({ config: 'other.toml' })).config).toEqual({ depth: 56 });
    expect((await resolve({}, { TRAINER_CONFIG: join(folder, 'other.toml') })).config).toEqual({ depth: 56 });
  });

  test('XDG_CONFIG_HOME moves the user file', async () => {
    mkdirSync(join(folder, 'xdg/trainer'), { recursive: true });
    write('xdg/trainer/config.json', '{"depth": 32}');
    expect((await resolve({}, { XDG_CONFIG_HOME: join(folder, 'xdg') })).config).toEqual({ depth: 32 });
  });

  test('nothing said means an empty configuration and the defaults of everything else', async () => {
    const { config, run, output } = await resolve();
    expect(config).toEqual({});
    expect(run).toEqual({
      ...{ seeds: 1, out: 'runs', name: null, tags: [], notes: null, resume: null },
      ...{ printConfig: false, dryRun: false, fastDevRun: false, commitEvery: 10, maxRestarts: 3, deadline: null },
    });
    expect(output).toEqual({ quiet: false, verbose: false, json: false, progress: true, color: 'auto' });
  });
});

describe('the environment', () => {
  test('switches on and off what flags do', async () => {
    const { config, output } = await resolve(
      {},
      { TRAINER_ZERO_GAMMA: '1', TRAINER_NO_PROGRESS: 'true', TRAINER_DECAY_NORM: 'no' },
    );
    expect(config).toEqual({ zeroGamma: true, decayNorm: false });
    expect(output.progress).toBe(false);
  });

  test('an empty variable says nothing', async () => {
    expect((await resolve({}, { TRAINER_DEPTH: '' })).config).toEqual({});
  });

  test('cannot ask for what belongs to one command line', async () => {
    expect((await resolve({}, { TRAINER_DRY_RUN: '1', TRAINER_RESUME: 'last' })).run).toMatchObject({
      dryRun: false,
      resume: null,
    });
  });

  test('reaches commands that read no files', () => {
    const { values } = resolveCommand('bench step', { steps: '5' }, { TRAINER_DEPTH: '56', TRAINER_LR: 'x' });
    expect(values).toEqual({ steps: 5, depth: 56, quiet: false, verbose: false, json: false, color: 'auto' });
  });
});

describe('configuration files', () => {
  const same = { batchSize: 64, decayNorm: false, maxTime: 720, model: ['resnet'], limitTrain: null };

  test.each([
    ['yaml', 'batch-size: 64\nno-decay-norm: true\nmax-time: 00:12:00\nmodel: [resnet]\nlimit-train:'],
    ['toml', 'batch_size = 64\ndecay_norm = false\nmax_time = 720\nmodel = ["resnet"]\nlimit_train = "none"'],
    ['json', '{"batchSize": 64, "decayNorm": false, "maxTime": 720, "model": "resnet", "limitTrain": null}'],
  ])('%s says the same as the others', async (extension, text) => {
    write(`trainer.${extension}`, text);
    expect((await resolve()).config).toEqual(same);
  });

  test('a list of one GPU is no count', async () => {
    write('trainer.yaml', 'gpus: [2]');
    expect((await resolve()).config).toEqual({ gpus: '2,' });
    write('trainer.yaml', 'gpus: 2');
    expect((await resolve()).config).toEqual({ gpus: '2' });
  });

  test('an empty file says nothing', async () => {
    write('trainer.yaml', '# nothing yet\n');
    expect((await resolve()).config).toEqual({});
  });

  test('a file from Windows is read like any other', async () => {
    write('trainer.yaml', '\uFEFFdepth: 20\r\nlr: 0.2\r\n');
    expect((await resolve()).config).toEqual({ depth: 20, lr: 0.2 });
  });

  test.each([
    ['a.yaml', 'depth: 20\nlr: 0.1: 0.2\n', 'a.yaml:2: not valid YAML: '],
    ['a.yaml', 'depth: 20\ndepth: 56\n', 'a.yaml:2: not valid YAML: Map keys must be unique'],
    ['a.json', '{\n  "depth": 20,\n}', 'a.json:3: not valid JSON: '],
    ['a.json', '{"depth": 20', 'a.json:1: not valid JSON: '],
    ['a.toml', 'depth = 20\nlr = \n', 'a.toml:2: not valid TOML: '],
    ['a.ini', 'depth=20', 'a.ini: a configuration file ends in .yaml, .yml, .json, .toml; rename it or convert it'],
    ['a.yaml', '- depth\n', 'a.yaml: must hold settings by name, such as "depth: 20"'],
    ['a.yaml', 'lr: 0.1\nepoch: 3\n', 'a.yaml:2: unknown setting epoch: did you mean epochs?'],
    ['a.yaml', 'machines: 2\n', 'a.yaml:1: unknown setting machines; trainer start --help lists them all'],
    ['a.yaml', 'no-depth: 2\n', 'a.yaml:1: unknown setting no-depth'],
    ['a.yaml', 'resume: last\n', 'a.yaml:1: resume belongs on the command line, as --resume; remove it here'],
    ['a.yaml', 'out: a\nlogdir: b\n', 'a.yaml:2: logdir is given twice, first in a.yaml:1: keep one'],
    ['a.yaml', 'lr: 0.1\n\ndepth: deep\n', 'a.yaml:3: depth must be a whole number of at least 1, not "deep"'],
    ['a.yaml', 'depth:\n  layers: 3\n', 'a.yaml:1: depth must be a single value or a list of names, not settings in settings'],
    [
      'a.toml',
      'model = ["resnet", "vgg"]',
      'a.toml:1: model must be resnet or plain, or several divided by commas, not "resnet,vgg"',
    ],
    ['a.json', '{"lr": true}', 'a.json:1: lr must be a number above 0, not "true"'],
  ])('%s with %j is refused with its line', async (name, text, message) => {
    write(name, text);
    expect(await complaint({ config: name })).toContain(message);
  });

  test('a file that cannot be read is named with the reason', async () => {
    mkdirSync(join(folder, 'b.yaml'));
    expect(await complaint({ config: 'none.yaml' })).toBe(
      'cannot read the configuration file none.yaml: it does not exist; check the path',
    );
    expect(await complaint({ config: 'b.yaml' })).toContain('it is a folder; name a file in it');
  });

  test('a file too large to be a configuration is not read', async () => {
    write('a.yaml', `# ${'x'.repeat(1 << 20)}`);
    expect(await complaint({ config: 'a.yaml' })).toContain('larger than 1 MB');
  });

  test('YAML that multiplies itself is refused', async () => {
    const lists = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(12).fill(`*a${i}`).join(',')}]`);
    write('a.yaml', `a0: &a0 [x]\n${lists.join('\n')}`);
    expect(await complaint({ config: 'a.yaml' })).toContain('not usable YAML');
  });

  test('two project files are one too many', async () => {
    write('trainer.yaml', 'depth: 20');
    write('trainer.toml', 'depth = 56');
    expect(await complaint()).toBe('two configuration files, trainer.yaml and trainer.toml: keep one of them');
  });
});

describe('options that exclude each other', () => {
  test.each([
    [{ quiet: true, verbose: true }, '--quiet (flag --quiet) and --verbose (flag --verbose) exclude each other: leave one out'],
    [{ resume: 'last', init: 'a.safetensors' }, '--resume (flag --resume) and --init'],
    [{ resume: 'last', seeds: '3' }, '--resume (flag --resume) and --seeds'],
    [{ resume: 'last', fastDevRun: true }, '--resume (flag --resume) and --fast-dev-run'],
  ])('%j', async (flags, message) => {
    expect(await complaint(flags as Record<string, string | boolean>)).toContain(message);
  });
});
