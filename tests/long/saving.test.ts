// What a checkpoint of an 18-layer pair costs the thread that trains, which only copies tensors, beside what writing it costs.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openCheckpoints, openCommits } from '../../trainer/src/report/checkpoints.js';
import type { Checkpoint, ModelTensors } from '../../trainer/src/report/contract.js';
import type { FloatTensor } from '../../trainer/src/report/layout.js';
import { testCheckpoint } from '../../trainer/src/report/test-checkpoint.js';

const ROUNDS = 5;
type Tensors = Record<string, FloatTensor>;

/** Names and shapes of an 18-layer residual net's convolutions, norms and classifier: 11.2 million values. */
function* shapes(): Generator<readonly [name: string, shape: readonly number[]]> {
  const conv = function* (name: string, size: number, from: number, to: number) {
    yield [`${name}.weight`, [size, size, from, to]] as const;
    for (const part of ['weight', 'bias', 'running_mean', 'running_var']) yield [`${name}.bn.${part}`, [to]] as const;
  };
  yield* conv('conv1', 3, 3, 64);
  let channels = 64;
  for (const [stage, to] of [64, 128, 256, 512].entries())
    for (const block of [0, 1]) {
      yield* conv(`layer${stage}.${block}.conv1`, 3, channels, to);
      yield* conv(`layer${stage}.${block}.conv2`, 3, to, to);
      if (channels !== to) yield* conv(`layer${stage}.${block}.downsample`, 1, channels, to);
      channels = to;
    }
  yield ['fc.weight', [512, 10]];
}

const tensors = (): Tensors =>
  Object.fromEntries(
    [...shapes()].map(([name, shape]) => {
      const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i));
      return [name, { shape, data }];
    }),
  );
const pair = (): Checkpoint['models'] => {
  const model = (): ModelTensors => ({ values: tensors(), velocities: tensors() });
  return { resnet: model(), plain: model() };
};
const allOf = (models: Checkpoint['models']): Float32Array[] =>
  [models.resnet!, models.plain!].flatMap(({ values, velocities }) =>
    [values, velocities].flatMap((record) => Object.values(record).map(({ data }) => data)),
  );

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
async function timed(task: (round: number) => unknown): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await task(round);
    times.push(performance.now() - start);
  }
  return median(times);
}

let run: string;
beforeAll(async () => {
  run = await mkdtemp(path.join(tmpdir(), 'saving-'));
});
afterAll(() => rm(run, { recursive: true, force: true }));

test('training waits for at most a quarter of the full write, and the thread that writes stays awake', async () => {
  const training = pair();
  const snapshot = pair();
  const [from, into] = [allOf(training), allOf(snapshot)];
  const megabytes = into.reduce((sum, { byteLength }) => sum + byteLength, 0) / 1e6;
  const copyMs = await timed(() => into.forEach((data, i) => void data.set(from[i]!)));

  const delay = monitorEventLoopDelay({ resolution: 1 });
  const checkpoints = await openCheckpoints({ runPath: run, keep: 2 });
  const commits = await openCommits({ runPath: run });
  const at = (step: number): Checkpoint => ({ state: testCheckpoint(step).state, models: snapshot });
  delay.enable();
  const checkpointMs = await timed((round) => checkpoints.save(at(round + 1), { best: false }));
  const commitMs = await timed((round) => commits.save(at(round + 1)));
  delay.disable();

  const share = (ms: number): string => `${((100 * copyMs) / ms).toFixed(0)}%`;
  const blockedMs = delay.max / 1e6;
  console.log(
    `${megabytes.toFixed(0)} MB: snapshot ${copyMs.toFixed(0)} ms; checkpoint ${checkpointMs.toFixed(0)} ms (snapshot ${share(checkpointMs)} of it), ` +
      `commit ${commitMs.toFixed(0)} ms (${share(commitMs)}); the writing thread was never away for more than ${blockedMs.toFixed(0)} ms`,
  );
  expect(copyMs).toBeLessThan(checkpointMs / 4);
  expect(copyMs).toBeLessThan(commitMs / 4);
  expect(blockedMs).toBeLessThan(500);
});
