// What a run leaves in its folder, as tests compare it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Row {
  readonly step: number;
  readonly model: string;
  readonly name: string;
  readonly value: number;
}

const readJson = async (...parts: string[]): Promise<unknown> => JSON.parse(await readFile(join(...parts), 'utf8'));

export async function metricsOf(run: string): Promise<Row[]> {
  const lines = (await readFile(join(run, 'metrics.jsonl'), 'utf8')).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Row);
}

/** Everything measured but times. */
export async function resultsOf(run: string): Promise<string[]> {
  return (await metricsOf(run))
    .filter(({ name }) => !name.startsWith('time/') && !/_ms\/rank/.test(name))
    .map(({ step, model, name, value }) => `${step} ${model} ${name} ${value}`);
}

/** By step, both models in turn. */
export const lossesOf = async (run: string): Promise<number[]> =>
  (await metricsOf(run)).filter(({ name }) => name === 'train/loss').map(({ value }) => value);

/** Bytes of all values and velocities in the last checkpoint. */
export async function weightsOf(run: string): Promise<Buffer[]> {
  const { last } = (await readJson(run, 'checkpoints', 'index.json')) as { last: number | string };
  const names = ['resnet', 'plain'].flatMap((side) => [`${side}.safetensors`, `${side}.optim.safetensors`]);
  return Promise.all(names.map((file) => readFile(join(run, 'checkpoints', String(last), file))));
}

/** Which checkpoints there are and which is best, where training stands, how it went; without times. */
export async function standingOf(run: string): Promise<unknown> {
  const index = (await readJson(run, 'checkpoints', 'index.json')) as { last: number | string };
  const state = await readJson(run, 'checkpoints', String(index.last), 'state.json');
  return withoutTimes({ index, state, summary: await readJson(run, 'summary.json') });
}

const TIMES = new Set(['seconds', 'stepSeconds', 'images_per_sec', 'images', 'time', 'created']);

function withoutTimes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTimes);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (TIMES.has(key) ? [] : [[key, withoutTimes(inner)]])),
  );
}
