// Ranks in real threads, one of which is made to freeze in a step: when that is noticed, who is blamed, and what the others do.
import { expect } from 'vitest';
import { connector } from '../../trainer/src/coordinator/open-ranks.js';
import { openPool } from '../../trainer/src/coordinator/pool.js';
import { type RankChannel, Ranks } from '../../trainer/src/coordinator/ranks.js';
import { firstWeights } from '../../trainer/src/coordinator/weights.js';
import type { ImageSet } from '../../trainer/src/data/contract.js';
import { channelStatistics } from '../../trainer/src/data/statistics.js';
import { randomStream } from '../../trainer/src/random.js';
import { testConfig } from '../../trainer/src/report/test-config.js';
import { systemClock } from '../../trainer/src/time.js';
import { createModels } from '../../trainer/src/worker/pair.js';
import type { Fault } from '../support/fake-runs.js';

export const DEADLINE_MS = 500;
const BATCH = 8;
const STEPS = 6;
const CLASSES = ['dark', 'bright'];

export interface FrozenFigures {
  /** From the step that froze to the failure of all ranks. */
  readonly noticedMs: number;
  readonly ranks: number;
}

const blank = (count: number): ImageSet => ({
  ...{ count, height: 4, width: 4 },
  images: Uint8Array.from({ length: count * 48 }, (_, i) => i % 251),
  labels: Int32Array.from({ length: count }, (_, i) => i % 2),
});
const range = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => i);

export async function frozenTrial(seed: number): Promise<FrozenFigures> {
  const random = randomStream(seed, 'frozen trial');
  const ranks = 2 + random.below(3);
  const fault: Fault = {
    do: seed % 2 === 0 ? 'freeze-thread' : 'freeze-js',
    rank: random.below(ranks),
    phase: random.below(2) === 0 ? 'gradients' : 'apply',
    side: random.below(2) === 0 ? 'resnet' : 'plain',
    step: 1 + random.below(STEPS),
  };
  const opened = await openFrozen(ranks, fault);
  try {
    return await watchStep(opened, fault, `seed ${seed}: ${JSON.stringify(fault)}`);
  } finally {
    await opened.close();
  }
}

interface Opened {
  readonly group: Ranks;
  /** Answers of each rank so far. */
  readonly answers: readonly number[];
  close(): Promise<void>;
}

async function openFrozen(ranks: number, fault: Fault): Promise<Opened> {
  const config = testConfig({ depth: 8, width: 0.25, batchSize: BATCH, epochs: 1 });
  const fake = { faults: [fault] };
  const device = { engine: 'auto', deterministic: false } as const;
  const pool = openPool(Array.from({ length: ranks }, (_, rank) => ({ rank, ranks, device, fake })));
  const answers = pool.channels.map(() => 0);
  pool.channels.forEach((channel: RankChannel, rank) => {
    channel.onMessage(({ type }) => {
      if (type !== 'log') answers[rank]!++;
    });
  });
  const group = new Ranks({
    channels: pool.channels,
    clock: systemClock,
    deadline: DEADLINE_MS / 1000,
    connect: connector(ranks, 'fp32'),
    onLog: () => undefined,
  });
  const dataset = { classes: CLASSES, train: blank(BATCH * STEPS), test: blank(2) };
  await group.open();
  await group.build({ config, ...dataset });
  const { models, source } = firstWeights({ models: createModels(config, dataset), config });
  const split = { train: range(BATCH * STEPS), validation: range(0), test: range(2) };
  await group.place({ config, split, pixels: channelStatistics(dataset.train, split.train), models, source });
  return { group, answers, close: () => pool.close() };
}

async function watchStep({ group, answers }: Opened, fault: Fault, label: string): Promise<FrozenFigures> {
  // Without a deadline: a busy machine is no failure.
  for (let step = 0; step < fault.step - 1; step++) await group.step({ step, lr: 0.1, norms: false, compiles: true });
  const before = [...answers];
  const began = performance.now();
  const step = group.step({ step: fault.step - 1, lr: 0.1, norms: false, compiles: false });
  await expect(step, label).rejects.toThrow(
    `rank ${fault.rank} is frozen: it did not answer within ${DEADLINE_MS / 1000} s (step ${fault.step})`,
  );
  const noticedMs = performance.now() - began;
  const answered = answers.map((count, rank) => count - before[rank]!);
  expect(answered, label).toEqual(answers.map((_, rank) => (rank === fault.rank ? 0 : 1)));
  return { noticedMs, ranks: answers.length };
}
