// Tiny runs on fake devices, for tests of what goes wrong around training: how they are started, and what of them is compared.
import { mkdirSync, statSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { FakeFault } from '../../trainer/src/worker/fake/options.js';
import { writeImageFolder } from './images.js';
import { PROGRAM, runTrainer, startTrainer, temporaryFolder } from './trainer.js';

export type Fault = FakeFault;

/** 97 images to train in batches of 8: 13 steps an epoch. */
const EPOCHS = 4;
export const STEPS = 13 * EPOCHS;
export const TINY_CONFIG = { preset: 'full', depth: 8, width: 0.25, batchSize: 8, epochs: EPOCHS, workers: 2 } as const;
const TINY_FLAGS = ['--preset', 'full', '--depth', '8', '--width', '0.25', '--batch-size', '8', '--epochs', `${EPOCHS}`];

export interface FakeRuns {
  readonly path: string;
  readonly images: string;
  /** The environment in which runs train on fake devices with these faults. */
  env(faults?: readonly Fault[], stepMs?: readonly [number, number]): NodeJS.ProcessEnv;
  /** A file that the fault of this name leaves when it happens. */
  marker(name: string): string;
  /** `trainer start` as a process; runs lie in `out`. */
  start(out: string, options?: StartOptions): ReturnType<typeof startTrainer>;
  /** What `start` runs, without Node. */
  command(out: string): readonly string[];
  run(out: string, options?: StartOptions): ReturnType<typeof runTrainer>;
  resume(out: string, ...flags: readonly string[]): ReturnType<typeof runTrainer>;
  /** Of the only run in `out`. */
  read(out: string): Promise<RunRead>;
  /** All runs in `out`. */
  removeRuns(out: string): Promise<void>;
  remove(): Promise<void>;
}

interface StartOptions {
  readonly faults?: readonly Fault[];
  readonly stepMs?: readonly [number, number];
  readonly flags?: readonly string[];
}

export interface RunRead {
  /** Bytes of the weights and velocities at the end. */
  readonly weights: readonly Buffer[];
  readonly rows: readonly Row[];
}

interface Row {
  readonly step: number;
  readonly model: string;
  readonly name: string;
  readonly value: number;
}

export async function fakeRuns(): Promise<FakeRuns> {
  const { path, remove } = await temporaryFolder();
  const images = join(path, 'images');
  await writeImageFolder(images, { train: 36, test: 10 });
  mkdirSync(join(path, 'markers'));
  const env: FakeRuns['env'] = (faults = [], stepMs = [1, 3]) => ({
    TRAINER_FAKE_DEVICE: JSON.stringify({ stepMs, faults }),
  });
  const args = (out: string, flags: readonly string[] = []): string[] => [
    ...['start', '-v', '--data', images, ...TINY_FLAGS, '--workers', '2', '--out', join(path, out)],
    ...flags,
  ];
  const start: FakeRuns['start'] = (out, { faults, stepMs, flags } = {}) =>
    startTrainer(args(out, flags), { cwd: path, env: env(faults, stepMs) });
  return {
    ...{ path, images, env, start, remove },
    command: (out) => [PROGRAM, ...args(out)],
    marker: (name) => join(path, 'markers', name),
    run: (out, options) => start(out, options).ended,
    resume: (out, ...flags) =>
      runTrainer(['start', '-v', '--resume', 'last', '--out', join(path, out), ...flags], { cwd: path, env: env() }),
    removeRuns: (out) => rm(join(path, out), { recursive: true, force: true }),
    read: async (out) => {
      const [run, ...others] = await readdir(join(path, out));
      expect(others).toEqual([]);
      return await readRun(join(path, out, run!));
    },
  };
}

/** The run that all others are compared with. */
export async function undisturbedRun(runs: FakeRuns): Promise<RunRead> {
  const { code, stderr } = await runs.run('undisturbed');
  expect(code, stderr).toBe(0);
  return runs.read('undisturbed');
}

export async function readRun(run: string): Promise<RunRead> {
  const names = ['resnet', 'plain'].flatMap((side) => [`${side}.safetensors`, `${side}.optim.safetensors`]);
  const weights = await Promise.all(names.map((name) => readFile(join(run, 'checkpoints', `${STEPS}`, name))));
  return { weights, rows: await rowsOf(run) };
}

/** What was measured in the only run in `out`, however far it came. */
export async function readOnly({ path }: FakeRuns, out: string): Promise<Row[]> {
  const [run] = await readdir(join(path, out));
  return rowsOf(join(path, out, run!));
}

async function rowsOf(run: string): Promise<Row[]> {
  const lines = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Row);
}

const keyOf = ({ step, model, name }: Row): string => `${step} ${model} ${name}`;
/** Times differ from run to run. */
const valuesOf = (rows: readonly Row[]): string[] =>
  rows.filter(({ name }) => !name.startsWith('time/') && !/_ms\/rank/.test(name)).map((row) => `${keyOf(row)} ${row.value}`);

/** The same weights and velocities to the bit, and the same metrics, each of them once. */
export function expectSame(run: RunRead, undisturbed: RunRead): void {
  expect(run.weights.map((file, i) => file.equals(undisturbed.weights[i]!))).toEqual(run.weights.map(() => true));
  expect(run.rows.map(keyOf)).toEqual(undisturbed.rows.map(keyOf));
  expect(new Set(run.rows.map(keyOf)).size).toBe(run.rows.length);
  expect(valuesOf(run.rows)).toEqual(valuesOf(undisturbed.rows));
}

/** When a fault happened, by the clock of `Date.now()`; undefined where it did not. */
export const happenedAt = (marker: string): number | undefined => statSync(marker, { throwIfNoEntry: false })?.mtimeMs;
