import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test, vi } from 'vitest';
import { environmentError } from '../errors.js';
import { runDoctor } from './doctor.js';
import { main } from './main.js';
import { runStart } from './start.js';
import { testIo } from './test-io.js';

vi.mock('./doctor.js', () => ({ runDoctor: vi.fn(async () => 0) }));
vi.mock('./start.js', () => ({ runStart: vi.fn(async () => 130) }));

async function run(argv: string, env: NodeJS.ProcessEnv = {}) {
  const io = testIo({ env: { HOME: '/nowhere', ...env } });
  const code = await main(argv === '' ? [] : argv.split(' '), io.env, io);
  return { code, out: io.out.join(''), err: io.err.join('') };
}

describe('bad input is answered in one line, with exit code 2', () => {
  test.each([
    ['start --epoch 3', 'unknown flag --epoch: did you mean --epochs? trainer start --help lists them all'],
    [
      'start --gpus 1,1',
      '--gpus must be a number of GPUs, all, or a list with a comma (0,2; GPU 2 alone is 2,), none of them twice, or none, not "1,1"',
    ],
    ['start --workers 0', '--workers must be a whole number of at least 1, or none, not "0"'],
    ['start -z', 'unknown flag -z: trainer start --help lists them all'],
    ['--depth 20', '--depth belongs to a command: trainer start --depth'],
    ['--nothing', 'unknown flag --nothing: trainer --help lists the commands'],
    ['strat', 'unknown command "strat": did you mean start?'],
    ['juggle', 'unknown command "juggle": trainer --help lists them all'],
    ['bench', 'trainer bench needs a command: choose trainer bench step, trainer bench allreduce, trainer bench scaling'],
    ['bench stop', 'unknown command "bench stop": choose trainer bench step, trainer bench allreduce, trainer bench scaling'],
    ['start 20', 'trainer start: "20" is too much: settings are flags that begin with --'],
    ['start --lr', '--lr needs a value: trainer start --help explains it'],
    ['start -c', '--config needs a value: trainer start --help explains it'],
    [
      'start --name --lr 3',
      '--name needs a value, but the flag --lr follows: write --name VALUE, or --name=--lr if that is the value',
    ],
    ['start --depth deep', '--depth must be a whole number of at least 1, not "deep"'],
    ['start --depth 21', 'no network has depth 21: choose 18 or 34, or 6n+2 layers: 8, 14, 20, 32, 44, 56, 110, ...'],
    ['start --batch_size=0', '--batch-size must be a whole number of at least 1, not "0"'],
    ['start --lr -0.1', '--lr must be a number above 0, not "-0.1"'],
    ['start --precision fp16', '--precision must be fp32 or bf16, not "fp16"'],
    [
      'start --max-time 12:00',
      '--max-time must be hours:minutes:seconds such as 00:12:00, or a number of seconds above 0, or none, not "12:00"',
    ],
    [
      'start --val-split 0 --target-acc 94',
      'target-acc 94 (flag --target-acc) is about validation accuracy, but val-split is 0 (flag --val-split): set --val-split 0.1, or leave --target-acc out',
    ],
    [
      'start --preset he --depth 18',
      "preset he (flag --preset) is He et al.'s recipe for the cifar family, which has no depth 18 (flag --depth): choose --depth 20, 32, 44, 56 or 110, or --preset full",
    ],
    ['start -c nowhere.yaml', 'cannot read the configuration file /nowhere/nowhere.yaml: it does not exist; check the path'],
    ['start -q -v', '--quiet (flag --quiet) and --verbose (flag --verbose) exclude each other: leave one out'],
    [
      'bench scaling --ranks 1,0',
      '--ranks must be a whole number of at least 1, or several divided by commas (1,2,4), not "1,0"',
    ],
    ['bench allreduce --ranks 2,4', '--ranks 2,4: one number at a time, "--ranks 2"'],
    ['bench step --steps some', '--steps must be a whole number of at least 1, not "some"'],
    ['setup --variant tpu', '--variant must be auto, cpu or gpu, not "tpu"'],
    ['completion', 'trainer completion needs a shell: bash, zsh, fish'],
    ['completion tcsh', 'trainer completion: no shell "tcsh": choose bash, zsh, fish'],
  ])('trainer %s', async (argv, message) => {
    const { code, out, err } = await run(argv);
    const [first, second] = err.split('\n');
    expect(first).toBe(`error: ${message}`);
    // -v adds the stack, as promised.
    if (argv.endsWith('-v')) expect(second).toContain('TrainerError');
    else expect(second).toBe('');
    expect([code, out]).toEqual([2, '']);
  });

  test('a variable is named where it is what is wrong', async () => {
    expect(await run('start', { TRAINER_BATCH_SIZE: 'big' })).toMatchObject({
      code: 2,
      err: 'error: TRAINER_BATCH_SIZE must be a whole number of at least 1, not "big"\n',
    });
  });
});

describe('errors of a command', () => {
  test('those for the user are one line and their exit code', async () => {
    vi.mocked(runDoctor).mockRejectedValueOnce(environmentError('the disk is full:\n  free some'));
    expect(await run('doctor')).toMatchObject({ code: 3, err: 'error: the disk is full: free some\n' });
  });

  test('others are told as ours, without a stack', async () => {
    vi.mocked(runDoctor).mockRejectedValueOnce(new RangeError('out of range'));
    const { code, err } = await run('doctor');
    expect(code).toBe(1);
    expect(err).toBe('error: internal error: out of range (-v shows where; please report it)\n');
  });

  test('-v shows the stack and what caused it', async () => {
    vi.mocked(runDoctor).mockRejectedValueOnce(environmentError('no', { cause: new Error('the cause') }));
    expect((await run('doctor -v')).err).toMatch(/^error: no\nTrainerError: no\n +at [\s\S]*caused by: Error: the cause\n +at /);
  });

  test('the prefix is red only where colours are wanted', async () => {
    expect((await run('start --nope --color=always')).err).toMatch(/^\x1b\[31merror:\x1b\[39m unknown flag/);
    expect((await run('start --nope --color always', { NO_COLOR: '1' })).err).toMatch(/^\x1b\[31m/);
    expect((await run('start --nope', { FORCE_COLOR: '1', NO_COLOR: '1' })).err).toMatch(/^error:/);
  });
});

test('a command gets its options, and its exit code is returned', async () => {
  vi.mocked(runDoctor).mockResolvedValueOnce(3);
  const io = testIo({ env: { TRAINER_COLOR: 'never' } });
  expect(await main(['doctor', '--json'], io.env, io)).toBe(3);
  expect(runDoctor).toHaveBeenLastCalledWith({ json: true, quiet: false, verbose: false, color: 'never' }, io);
});

describe('trainer start', () => {
  test('says that it is there before it loads anything, and passes on what was asked', async () => {
    const { code, out, err } = await run('start --depth 20 --tags a,b --no-decay-norm --logdir elsewhere', { TRAINER_LR: '0.2' });
    expect(code).toBe(130);
    expect(out).toBe('');
    expect(err).toMatch(/^trainer \d+\.\d+\.\d+: loading [\w ]+\n$/);
    const [options] = vi.mocked(runStart).mock.lastCall!;
    expect(options.config).toEqual({ depth: 20, decayNorm: false, lr: 0.2 });
    expect(options.run).toMatchObject({ tags: ['a', 'b'], out: 'elsewhere' });
    expect(options.origins).toMatchObject({ decayNorm: 'flag --no-decay-norm', lr: 'TRAINER_LR', out: 'flag --out' });
  });

  test.each(['start --quiet', 'start --print-config'])('trainer %s starts without a word', async (argv) => {
    expect((await run(argv)).err).toBe('');
  });

  test('a run that goes on is not held to the presets of a new one', async () => {
    // 300 epochs of warm-up are too many for every preset, but the run may have more.
    expect((await run('start --warmup 300')).code).toBe(2);
    expect((await run('start --warmup 300 --resume last')).code).toBe(130);
  });
});

describe('help', () => {
  test('without arguments the commands are listed', async () => {
    const { code, out } = await run('');
    expect(code).toBe(0);
    for (const command of ['start', 'setup', 'doctor', 'bench', 'completion']) expect(out).toContain(`\n  ${command} `);
  });

  test.each([
    'start -h',
    'start --help',
    'help start',
    'setup -h',
    'doctor -h',
    'bench -h',
    'bench step -h',
    'bench allreduce -h',
    'bench scaling -h',
    'completion -h',
  ])('trainer %s explains itself on stdout', async (argv) => {
    expect(await run(argv)).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/^Usage: trainer /) });
  });

  test('it keeps to the width of the terminal', async () => {
    const { out } = await run('start -h', { COLUMNS: '70' });
    const [, ...lines] = out.slice(0, out.indexOf('Examples:')).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(70);
  });

  test('--version prints the version alone', async () => {
    expect((await run('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test('it is answered without the engine, the schemas and the parsers of files', () => {
    const modules = loadedAtOnce(fileURLToPath(new URL('./main.ts', import.meta.url)));
    const packages = modules.filter((name) => !name.startsWith('/') && !name.startsWith('node:'));
    expect(new Set(packages)).toEqual(new Set(['commander', 'picocolors']));
  });
});

/** Files and packages that a file's static imports bring along, types left out. */
function loadedAtOnce(file: string, seen: string[] = []): string[] {
  if (seen.includes(file)) return seen;
  seen.push(file);
  if (!file.startsWith('/')) return seen;
  const imports = readFileSync(file, 'utf8').matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)'/gm);
  for (const [, name] of imports) {
    loadedAtOnce(name!.startsWith('.') ? resolve(dirname(file), name!.replace(/\.js$/, '.ts')) : name!, seen);
  }
  return seen;
}
