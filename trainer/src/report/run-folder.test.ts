import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { MetricRecord, RunSummary, TrainingState } from '@trainer/protocol';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parse } from 'yaml';
import { openCheckpoints, openCommits } from './checkpoints.js';
import type { Checkpoint, CreateRunOptions, RunFolder, RunMetadata } from './contract.js';
import { FaultyFileSystem, systemError, unsyncedFileSystem } from './faulty-file-system.js';
import { type FileSystem, nodeFileSystem } from './file-system.js';
import { findResumable } from './resume.js';
import { createRun, reopenRun } from './run-folder.js';
import { testCheckpoint } from './test-checkpoint.js';
import { testConfig } from './test-config.js';

// Real files: a moment each on a quiet machine.
vi.setConfig({ testTimeout: 60_000 });

const metadata: RunMetadata = {
  commandLine: ['start', '--seed', '7'],
  engine: 'wasm',
  library: 'tfjs-backend-wasm 4.22.0',
  devices: ['CPU'],
  seeds: [7],
  dataset: { name: 'shapes10', origin: 'made', hash: 'ab' },
  initHash: { resnet: 'cd' },
  tags: ['class-1'],
  notes: 'first try',
};

let out: string;
let opened: RunFolder[] = [];
beforeEach(async () => {
  out = path.join(await fs.mkdtemp(path.join(os.tmpdir(), 'runs-')), 'runs');
});
afterEach(async () => {
  for (const run of opened) await run.close().catch(() => undefined);
  opened = [];
  await fs.rm(path.dirname(out), { recursive: true, force: true });
});

const keep = (run: RunFolder): RunFolder => {
  opened.push(run);
  return run;
};
const create = async (options: Partial<CreateRunOptions> = {}, fileSystem = unsyncedFileSystem): Promise<RunFolder> =>
  keep(await createRun({ out, config: testConfig(), metadata, ...options }, fileSystem));
/** As whoever trains, beside the open run. */
const save = async (run: RunFolder, checkpoint: Checkpoint): Promise<void> => {
  await run.sync();
  await (await openCheckpoints({ runPath: run.path, keep: 3 }, unsyncedFileSystem)).save(checkpoint, { best: false });
};
const read = (run: RunFolder, file: string): Promise<string> => fs.readFile(path.join(run.path, file), 'utf8');
const json = async (run: RunFolder, file: string): Promise<unknown> => JSON.parse(await read(run, file));
const record = (step: number, values: Partial<MetricRecord> = {}): MetricRecord => ({
  step,
  epoch: 1,
  time: 1.5,
  model: 'resnet',
  name: 'train/loss',
  value: step / 2,
  ...values,
});
const steps = async (run: RunFolder): Promise<number[]> =>
  (await read(run, 'metrics.jsonl'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line).step);
const summary: RunSummary = {
  status: 'finished',
  preset: 'quick',
  models: {
    resnet: {
      train_error: 42,
      val_accuracy: 57.1,
      test_accuracy: 56.2,
      best_epoch: 1,
      parameters: 272_474,
      flops: 82e6,
      images_per_sec: 960,
    },
  },
  gap: { train_error: null, val_accuracy: null, test_accuracy: null },
  epochs: 1,
  steps: 4,
  seconds: 12,
  engine: 'wasm',
  dataset: 'shapes10',
};

describe('a new run', () => {
  test('says what it is: config.yaml and metadata.json', async () => {
    const run = await create({ name: 'first' });
    expect(run.path).toBe(path.join(out, 'first'));
    expect(parse(await read(run, 'config.yaml'))).toEqual(testConfig());
    expect(await json(run, 'metadata.json')).toMatchObject({
      name: 'first',
      started: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      command_line: ['start', '--seed', '7'],
      versions: {
        trainer: expect.stringMatching(/^\d+\./),
        node: process.versions.node,
        tfjs: '4.22.0',
        library: 'tfjs-backend-wasm 4.22.0',
      },
      host: { name: os.hostname(), cores: os.availableParallelism() },
      devices: ['CPU'],
      seeds: [7],
      dataset: { name: 'shapes10', origin: 'made', sha256: 'ab' },
      init_sha256: { resnet: 'cd' },
      tags: ['class-1'],
      notes: 'first try',
      resumed: [],
    });
  });

  test('is named after time, net and data, and a second one of the same minute differs', async () => {
    const names = [(await create()).name, (await create()).name, (await create()).name];
    expect(names[0]).toMatch(/^\d{4}-\d\d-\d\d-\d{4}-resnet20-shapes10(-\d)?$/);
    expect(new Set(names).size).toBe(3);
  });

  test('cannot take a name that is taken: exit code 2', async () => {
    await create({ name: 'twice' });
    const folder = path.join(out, 'twice');
    await expect(create({ name: 'twice' })).rejects.toMatchObject({
      exitCode: 2,
      message: `${folder} exists already: choose another --name, or go on with that run: --resume ${folder}`,
    });
  });

  test.each(['', '.', '../up', 'a/b', '-x', 'a\\b', 'last', 'tail.', 'a\nb', 'x'.repeat(101)])(
    'cannot be named %j: exit code 2',
    async (name) => {
      await expect(create({ name })).rejects.toMatchObject({ exitCode: 2 });
      await expect(fs.readdir(out)).rejects.toMatchObject({ code: 'ENOENT' });
    },
  );

  test('where a file stands in the way: exit code 3, one line, nothing changed', async () => {
    await fs.writeFile(out, 'a file');
    await expect(create({ name: 'run' })).rejects.toMatchObject({
      exitCode: 3,
      message: `cannot make the run folder ${path.join(out, 'run')}: a file stands where a folder is needed; move it, or choose another folder with --out`,
    });
    expect(await fs.readFile(out, 'utf8')).toBe('a file');
  });

  test('in a folder that is read-only: exit code 3', async () => {
    const refusing: FileSystem = { ...nodeFileSystem, makeFolder: () => Promise.reject(systemError('EROFS')) };
    await expect(create({ name: 'run' }, refusing)).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(
        /^cannot make the run folder .*: the file system is read-only; choose a folder you can write to with --out$/,
      ),
    });
  });

  test.each(['ENOSPC', 'EIO'] as const)('that meets %s at any call: exit code 3, and no folder is left', async (fault) => {
    for (let at = 0; ; at++) {
      const faulty = new FaultyFileSystem(fault, at, unsyncedFileSystem);
      const result = await create({ name: 'run' }, faulty).catch((error: unknown) => error);
      if (faulty.calls <= at) break;
      if (result instanceof Error) {
        expect(result).toMatchObject({ exitCode: 3, message: expect.not.stringContaining('\n') });
        // EIO may be what the removal itself met.
        expect(await fs.readdir(out).catch(() => [])).toEqual([]);
      } else await (result as RunFolder).close().catch(() => undefined);
      await fs.rm(out, { recursive: true, force: true });
    }
  });
});

describe('what is recorded', () => {
  test('is in metrics.jsonl, in TensorBoard’s folders and in output.log after a flush', async () => {
    const run = await create();
    run.record([record(1), record(1, { model: 'plain' }), record(1, { model: 'gap', name: 'gap/train_error' })]);
    run.log('\u001b[1mhello\u001b[0m');
    await run.flush();
    expect(await steps(run)).toEqual([1, 1, 1]);
    expect(await read(run, 'output.log')).toBe('hello\n');
    for (const model of ['resnet', 'plain', 'gap']) {
      const [events] = await fs.readdir(path.join(run.path, model));
      const bytes = await fs.readFile(path.join(run.path, model, events!));
      expect(bytes.includes(model === 'gap' ? 'gap/train_error' : 'train/loss')).toBe(true);
    }
  });

  test('is written within about a second without any other call', async () => {
    const run = await create();
    run.record([record(1)]);
    await expect.poll(() => steps(run), { timeout: 30_000 }).toEqual([1]);
  });

  test('keeps its order, however the calls overlap', async () => {
    const run = await create();
    const calls = Array.from({ length: 20 }, (_, at) => {
      run.record([record(at)]);
      return run.flush();
    });
    await Promise.all(calls);
    expect(await steps(run)).toEqual(Array.from({ length: 20 }, (_, at) => at));
  });

  test('once lost, is never reported as written: exit code 3 each time', async () => {
    let full = false;
    const fileSystem: FileSystem = {
      ...unsyncedFileSystem,
      open: async (file, mode) => {
        const inner = await nodeFileSystem.open(file, mode);
        return { ...inner, write: (bytes) => (full ? Promise.reject(systemError('ENOSPC')) : inner.write(bytes)) };
      },
    };
    const run = await create({}, fileSystem);
    full = true;
    run.record([record(1)]);
    const lost = {
      exitCode: 3,
      message: `cannot write the metrics of ${run.path}: no space left on the disk; free some, or choose a folder on another disk with --out`,
    };
    await expect(run.flush()).rejects.toMatchObject(lost);
    full = false;
    await expect(run.flush()).rejects.toMatchObject(lost);
    await expect(run.sync()).rejects.toMatchObject(lost);
    await expect(run.close()).rejects.toMatchObject(lost);
    // The folder was given back all the same.
    expect((await fs.readdir(run.path)).filter((name) => name.startsWith('.writer'))).toEqual([]);
  });
});

describe('the end of a run', () => {
  test('makes the table, the gradients, the report and gives the folder back', async () => {
    const run = await create({ name: 'done' });
    run.record([record(1), record(1, { name: 'grad_norm/conv1' })]);
    await run.summarize(summary);
    await run.close();
    await run.close();
    expect((await fs.readdir(run.path)).sort()).toEqual([
      'config.yaml',
      'gradients.npz',
      'metadata.json',
      'metrics.csv',
      'metrics.jsonl',
      'output.log',
      'report.html',
      'resnet',
      'summary.json',
    ]);
    expect(await json(run, 'summary.json')).toEqual(summary);
    expect(await read(run, 'metrics.csv')).toBe('step,epoch,time,resnet/grad_norm/conv1,resnet/train/loss\n1,1,1.5,0.5,0.5\n');
    expect(await read(run, 'report.html')).toContain('<title>done</title>');
  });

  test('without a summary leaves no report', async () => {
    const run = await create();
    await run.close();
    expect(await fs.readdir(run.path)).not.toContain('report.html');
  });

  test('makes later records an error', async () => {
    const run = await create();
    await run.close();
    expect(() => run.record([record(1)])).toThrow('is closed');
  });
});

describe('going on', () => {
  const resume = async (which = 'last', notices: string[] = []) => findResumable(out, which, (line) => notices.push(line));
  const interrupted = async (name = 'run'): Promise<RunFolder> => {
    const run = await create({ name });
    for (const step of [1, 2]) {
      run.record([record(step)]);
      await save(run, testCheckpoint(step));
    }
    run.record([record(3)]);
    await run.close();
    await fs.appendFile(path.join(run.path, 'metrics.jsonl'), '{"step":4,"epo');
    return run;
  };

  /** Files written within one tick of the kernel's clock have the same time. */
  const anHourAgo = async ({ path: run }: RunFolder): Promise<void> => {
    const then = Date.now() / 1000 - 3600;
    await fs.utimes(path.join(run, 'metrics.jsonl'), then, then);
  };

  test('drops metrics after the checkpoint and a torn line, and appends', async () => {
    const before = await interrupted();
    const found = await resume();
    expect(found).toMatchObject({ path: before.path, config: testConfig(), checkpoint: testCheckpoint(2) });
    const run = keep(await reopenRun(found, unsyncedFileSystem));
    expect(await steps(run)).toEqual([1, 2]);
    run.record([record(3)]);
    await save(run, testCheckpoint(3));
    expect(await steps(run)).toEqual([1, 2, 3]);
  });

  test('is told to TensorBoard in a file of its own, and to metadata.json', async () => {
    await interrupted();
    const run = keep(await reopenRun(await resume(), unsyncedFileSystem));
    expect(await fs.readdir(path.join(run.path, 'resnet'))).toHaveLength(2);
    expect(await json(run, 'metadata.json')).toMatchObject({ name: 'run', resumed: [{ step: 2, host: os.hostname() }] });
  });

  test('from an older checkpoint gives up the later ones', async () => {
    const before = await interrupted();
    const found = await resume(path.join(before.path, 'checkpoints', '1'));
    expect(found.checkpoint).toEqual(testCheckpoint(1));
    const run = keep(await reopenRun(found, unsyncedFileSystem));
    expect(await steps(run)).toEqual([1]);
    expect(await fs.readdir(path.join(run.path, 'checkpoints'))).toEqual(['1', 'index.json']);
  });

  test('from a commit that is newer than every checkpoint, or from the checkpoint of the same step', async () => {
    const before = await interrupted();
    const commits = await openCommits({ runPath: before.path }, unsyncedFileSystem);
    await commits.save(testCheckpoint(2, 9));
    expect(await resume()).toMatchObject({ checkpointPath: path.join(before.path, 'checkpoints', '2') });
    await commits.save(testCheckpoint(3));
    const place = path.join(before.path, 'commits', '3');
    for (const which of ['last', place])
      expect(await resume(which)).toMatchObject({ checkpoint: testCheckpoint(3), checkpointPath: place });
    const run = keep(await reopenRun(await resume(), unsyncedFileSystem));
    expect(await steps(run)).toEqual([1, 2, 3]);
  });

  test('from an older checkpoint gives up later commits too', async () => {
    const before = await interrupted();
    const commits = await openCommits({ runPath: before.path }, unsyncedFileSystem);
    for (const step of [1, 3]) await commits.save(testCheckpoint(step));
    const run = keep(await reopenRun(await resume(path.join(before.path, 'checkpoints', '2')), unsyncedFileSystem));
    expect((await fs.readdir(path.join(run.path, 'commits'))).sort()).toEqual(['1', 'index.json']);
  });

  test('with a run from before there were several ranks', async () => {
    const run = await create({ name: 'old' });
    const { lrFactor: _, ranks: __, ...state } = testCheckpoint(1).state;
    await save(run, { ...testCheckpoint(1), state: state as TrainingState });
    await run.close();
    const config = (await read(run, 'config.yaml')).split('\n');
    const without = config.filter((line) => !/^(workers|gpus|wire|accumulate|sync_?bn)/i.test(line));
    expect(config.length - without.length).toBe(5);
    await fs.writeFile(path.join(run.path, 'config.yaml'), without.join('\n'));
    const found = await resume();
    expect(found.config).toEqual(testConfig());
    expect(found.checkpoint.state).toEqual({ ...state, lrFactor: 1, ranks: 1 });
  });

  test('works without metadata.json', async () => {
    const before = await interrupted();
    await fs.rm(path.join(before.path, 'metadata.json'));
    const run = keep(await reopenRun(await resume(), unsyncedFileSystem));
    await run.summarize(summary);
    await run.close();
    expect(await read(run, 'report.html')).not.toContain('Made with');
  });

  test('finds the run written to last, by name, or by folder', async () => {
    await anHourAgo(await interrupted('older'));
    await interrupted('newer');
    expect((await resume('last')).path).toBe(path.join(out, 'newer'));
    expect((await resume('older')).path).toBe(path.join(out, 'older'));
    expect((await resume(path.join(out, 'older'))).path).toBe(path.join(out, 'older'));
    expect((await resume('older/checkpoints/1')).checkpoint.state.step).toBe(1);
  });

  test('passes over a newer run that has no checkpoint, with a notice', async () => {
    await anHourAgo(await interrupted('older'));
    await (await create({ name: 'empty' })).close();
    const notices: string[] = [];
    expect((await resume('last', notices)).path).toBe(path.join(out, 'older'));
    expect(notices).toEqual([`${path.join(out, 'empty')} has no checkpoint to go on from: passed over`]);
  });

  test('says what is missing: exit code 5', async () => {
    const failure = async (which: string) => resume(which).catch((error: unknown) => error);
    expect(await failure('last')).toMatchObject({
      exitCode: 5,
      message: `there are no runs in ${out}: start one with "trainer start", or say where they are with --out`,
    });
    await (await create({ name: 'empty' })).close();
    expect(await failure('last')).toMatchObject({
      exitCode: 5,
      message: `no run in ${out} has a checkpoint to go on from: start a run again`,
    });
    expect(await failure('empty')).toMatchObject({
      exitCode: 5,
      message: `${path.join(out, 'empty')} has no checkpoint to go on from: start the run again`,
    });
    expect(await failure('other')).toMatchObject({
      exitCode: 5,
      message: `there is no run other here or in ${out}: name a run, its folder or one of its checkpoints`,
    });
    await interrupted();
    expect(await failure('run/checkpoints/9')).toMatchObject({
      exitCode: 5,
      message: `there is no checkpoint ${path.join(out, 'run/checkpoints/9')}: the run has 2, 1`,
    });
  });

  test('refuses a damaged checkpoint that was asked for by name: exit code 3', async () => {
    const run = await interrupted();
    const folder = path.join(run.path, 'checkpoints', '2');
    await fs.truncate(path.join(folder, 'state.json'), 10);
    await expect(resume(folder)).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(
        /^the checkpoint .* is damaged \(state\.json has 10 bytes instead of \d+\): resume from .*, which takes the newest that is whole$/,
      ),
    });
  });

  test.each([
    ['depth: -1', /config\.yaml is not a run's configuration: \w+: .*; restore the file, or start a new run$/],
    ['depth: [', /config\.yaml is not YAML: .*; restore the file, or start a new run$/],
  ])('refuses a configuration that is none: %s', async (text, message) => {
    const run = await interrupted();
    await fs.writeFile(path.join(run.path, 'config.yaml'), text);
    await expect(resume()).rejects.toMatchObject({ exitCode: 3, message: expect.stringMatching(message) });
  });
});

describe('checkpoints that another process writes', () => {
  const begun = async () => {
    const run = await create({ name: 'run' });
    const checkpoints = await openCheckpoints({ runPath: run.path, keep: 2 }, unsyncedFileSystem);
    const commits = await openCommits({ runPath: run.path }, unsyncedFileSystem);
    for (const step of [1, 2, 3]) {
      run.record([record(step)]);
      await commits.save(testCheckpoint(step));
      if (step < 3) await checkpoints.save(testCheckpoint(step), { best: false });
    }
    return run;
  };
  const listed = async (run: RunFolder, folder: string): Promise<string[]> =>
    (await fs.readdir(path.join(run.path, folder)).catch(() => [])).sort();

  test('find their metrics in the file after a sync', async () => {
    const synced: string[] = [];
    const fileSystem: FileSystem = {
      ...unsyncedFileSystem,
      open: async (file, mode) => ({
        ...(await unsyncedFileSystem.open(file, mode)),
        sync: async () => void synced.push(await fs.readFile(file, 'utf8')),
      }),
    };
    const run = await create({}, fileSystem);
    synced.length = 0;
    run.record([record(1)]);
    await run.sync();
    expect(synced).toEqual([await read(run, 'metrics.jsonl')]);
    expect(await steps(run)).toEqual([1]);
  });

  test('are gone back from while the run stays open and locked', async () => {
    const run = await begun();
    run.record([record(4)]);
    await run.rewind(1);
    expect(await steps(run)).toEqual([1]);
    expect(await listed(run, 'checkpoints')).toEqual(['1', 'index.json']);
    expect((await findResumable(out, 'run', () => undefined)).checkpoint).toEqual(testCheckpoint(1));
    expect(await listed(run, 'resnet')).toHaveLength(2);
    run.record([record(2)]);
    await run.rewind(2);
    run.record([record(3)]);
    await run.flush();
    expect(await steps(run)).toEqual([1, 2, 3]);
    expect(await json(run, 'metadata.json')).toMatchObject({ resumed: [{ step: 1 }, { step: 2 }] });
    await expect(reopenRun(await findResumable(out, 'run', () => undefined), unsyncedFileSystem)).rejects.toMatchObject({
      message: expect.stringContaining('is being written by this process'),
    });
    await run.close();
    expect(await read(run, 'metrics.csv')).toMatch(/\n3,1,1.5,1.5\n$/);
  });

  test('killed at any call of going back, can be gone on with from there', async () => {
    const before = await begun();
    await before.close();
    const copy = path.join(path.dirname(out), 'copy');
    await fs.cp(before.path, copy, { recursive: true });
    let killed = true;
    for (let at = 0; killed; at++) {
      const found = await findResumable(out, path.join(before.path, 'checkpoints', '2'), () => undefined);
      const faulty = new FaultyFileSystem('killed', at, unsyncedFileSystem);
      const outcome = await reopenRun(found, faulty).catch(() => undefined);
      killed = faulty.calls > at;
      expect(outcome === undefined).toBe(killed);
      await outcome?.close().catch(() => undefined);
      for (const name of await listed(before, '.')) if (name.startsWith('.writer')) await fs.rm(path.join(before.path, name));
      const again = await findResumable(out, 'run', () => undefined);
      expect([2, 3]).toContain(again.checkpoint.state.step);
      const reopened = await reopenRun(again, unsyncedFileSystem);
      expect(await steps(reopened)).toEqual([1, 2, 3].slice(0, again.checkpoint.state.step));
      await reopened.close();
      await fs.rm(before.path, { recursive: true });
      await fs.cp(copy, before.path, { recursive: true });
    }
  });

  test('leave no commits at the end, but one that is newer than every checkpoint', async () => {
    const failed = await begun();
    await failed.close();
    expect(await listed(failed, 'commits')).toEqual(['2', '3', 'index.json']);
    const run = keep(await reopenRun(await findResumable(out, 'run', () => undefined), unsyncedFileSystem));
    await (await openCheckpoints({ runPath: run.path, keep: 2 }, unsyncedFileSystem)).save(testCheckpoint(3), { best: false });
    await run.close();
    expect(await fs.readdir(run.path)).not.toContain('commits');
    expect(await listed(run, 'checkpoints')).toEqual(['2', '3', 'index.json']);
  });

  test('that cannot be read do not overtake a commit', async () => {
    const run = await begun();
    await (await openCheckpoints({ runPath: run.path, keep: 2 }, unsyncedFileSystem)).save(testCheckpoint(4), { best: false });
    await fs.rm(path.join(run.path, 'checkpoints', '4', 'manifest.json'));
    await run.close();
    expect(await listed(run, 'commits')).toEqual(['2', '3', 'index.json']);
  });
});

describe('two writers', () => {
  const found = async () => {
    const run = await create({ name: 'run' });
    await save(run, testCheckpoint(1));
    return { run, resumable: await findResumable(out, 'run', () => undefined) };
  };
  const lock = (folder: string, owner: string) => fs.writeFile(path.join(folder, `.writer-${owner}`), '');
  const startTicks = async (pid: number): Promise<string> =>
    (await fs.readFile(`/proc/${pid}/stat`, 'latin1')).split(') ')[1]!.split(' ')[19]!;

  test('of one run are refused: exit code 3', async () => {
    const { run, resumable } = await found();
    await expect(reopenRun(resumable, unsyncedFileSystem)).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining(
        `${run.path} is being written by this process: wait for it or stop it (if it has ended, remove `,
      ),
    });
    run.record([record(1)]);
    await run.flush();
  });

  test('another process that lives keeps its run; once it has ended, its run can be taken over', async () => {
    const { run, resumable } = await found();
    await run.close();
    const other = spawn('sleep', ['60']);
    const ticks = process.platform === 'linux' ? await startTicks(other.pid!) : '0';
    await lock(run.path, `${other.pid}-${ticks}-${os.hostname()}`);
    await expect(reopenRun(resumable, unsyncedFileSystem)).rejects.toMatchObject({
      message: expect.stringContaining(`written by process ${other.pid}:`),
    });
    other.kill('SIGKILL');
    await new Promise((resolve) => other.once('exit', resolve));
    keep(await reopenRun(resumable, unsyncedFileSystem));
    expect((await fs.readdir(run.path)).filter((name) => name.startsWith('.writer'))).toHaveLength(1);
  });

  test.runIf(process.platform === 'linux')('a pid that was given to another process since does not count', async () => {
    const { run, resumable } = await found();
    await run.close();
    await lock(run.path, `${process.ppid}-1-${os.hostname()}`);
    keep(await reopenRun(resumable, unsyncedFileSystem));
  });

  test('a process on another computer cannot be asked, so it counts', async () => {
    const { run, resumable } = await found();
    await run.close();
    const { pid } = spawnSync('true');
    await lock(run.path, `${pid}-1-other-host`);
    await expect(reopenRun(resumable, unsyncedFileSystem)).rejects.toMatchObject({
      message: expect.stringContaining(`process ${pid} on other-host`),
    });
  });
});
