import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Line, readLines } from './lines.js';
import { lengthUpToStep, readMetrics } from './metrics-file.js';
import { encodeMetric } from './metrics-lines.js';

let folder: string;
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'lines-'));
});
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

async function linesOf(text: string): Promise<Line[]> {
  await fs.writeFile(path.join(folder, 'text'), text);
  const lines: Line[] = [];
  for await (const line of readLines(path.join(folder, 'text'))) lines.push(line);
  return lines;
}

test('lines end where they end in bytes, not in characters', async () => {
  expect(await linesOf('é\n\nab')).toEqual([
    { text: 'é', end: 3, complete: true },
    { text: '', end: 4, complete: true },
    { text: 'ab', end: 6, complete: false },
  ]);
  expect(await linesOf('')).toEqual([]);
});

test('lines longer than what is read at once are whole', async () => {
  const long = 'ö'.repeat(200_001);
  expect(await linesOf(`x\n${long}\ny\n`)).toEqual([
    { text: 'x', end: 2, complete: true },
    { text: long, end: 400_005, complete: true },
    { text: 'y', end: 400_007, complete: true },
  ]);
});

test('of metrics, what belongs to the first steps ends before the first later record or a torn line', async () => {
  const record = (step: number): string => encodeMetric({ step, epoch: 1, time: 0, model: 'resnet', name: 'lr', value: 0.1 });
  const place = path.join(folder, 'metrics.jsonl');
  const [one, two] = [record(1).length, record(2).length];
  await fs.writeFile(place, `${record(1)}junk\n${record(2)}${record(3)}${record(2)}`);
  expect(await lengthUpToStep(place, 0)).toBe(0);
  expect(await lengthUpToStep(place, 1)).toBe(one + 5);
  expect(await lengthUpToStep(place, 2)).toBe(one + 5 + two);
  await fs.writeFile(place, `${record(1)}${record(2).slice(0, -1)}`);
  expect(await lengthUpToStep(place, 9)).toBe(one);
  const steps: number[] = [];
  for await (const { step } of readMetrics(place)) steps.push(step);
  expect(steps).toEqual([1, 2]);
});
