// Steps of both models with one's exchange beside the other's gradients: the same bits as one model after the other.
import { describe, expect, test } from 'vitest';
import type { ExchangeGroup } from '../../trainer/src/allreduce/shared-memory.js';
import { firstWeights } from '../../trainer/src/coordinator/weights.js';
import { testConfig } from '../../trainer/src/report/test-config.js';
import { SimulatedExchanges } from '../../trainer/src/simulation/exchange.js';
import { systemClock } from '../../trainer/src/time.js';
import { createModels } from '../../trainer/src/worker/pair.js';
import { Rank } from '../../trainer/src/worker/rank.js';
import { openSessionDevice } from '../../trainer/src/worker/session-device.js';
import { drawBatch } from '../../trainer/src/worker/test-ranks.js';
import { noLibrary } from '../support/library.js';

const RANKS = 2;
const STEPS = 3;
const { images, labels } = drawBatch(16, 1);
const train = { count: 16, height: 8, width: 8, images: images.data as Uint8Array, labels: labels.data as Int32Array };
const DATA = { classes: ['a', 'b', 'c', 'd'], train, test: train };

async function openRanks(engine: 'tensorflow' | 'wasm', overlaps: boolean): Promise<Rank[]> {
  const exchanges = new SimulatedExchanges(systemClock);
  const join: typeof exchanges.join = (group, rank, layout) => exchanges.join(group, rank, layout);
  const openDevice = async () =>
    Object.assign(await openSessionDevice({ engine, intraOpThreads: 1, deterministic: false, onNotice: () => undefined }), {
      overlaps,
    });
  // A simulated group is a number.
  const group = () => exchanges.create({ ranks: RANKS, wire: 'fp32' }) as unknown as ExchangeGroup;
  const gradients = { resnet: group(), plain: group() };
  const ranks = Array.from({ length: RANKS }, (_, rank) => new Rank({ rank, ranks: RANKS, openDevice, join }));
  for (const rank of ranks) {
    await rank.handle('open', null);
    await rank.handle('build', { config: CONFIG, ...DATA });
    await rank.handle('join', { gradients });
  }
  return ranks;
}

/** Parts of 3 and 2 images, each in two pieces; of the last step, which has one image, one rank has none. */
const CONFIG = testConfig({ depth: 8, width: 0.25, batchSize: 5, accumulate: 2, valSplit: 0, epochs: 2, engine: 'auto' });

async function digestsAfter(engine: 'tensorflow' | 'wasm', overlaps: boolean) {
  const ranks = await openRanks(engine, overlaps);
  const weights = firstWeights({ models: createModels(CONFIG, DATA), config: CONFIG });
  const every = Uint32Array.from({ length: train.count }, (_, i) => i);
  const split = { train: every, validation: new Uint32Array(), test: new Uint32Array() };
  const pixels = { mean: [100, 120, 130], std: [50, 60, 70] } as const;
  for (const rank of ranks) await rank.handle('place', { config: CONFIG, split, pixels, ...weights });
  const replies = [];
  for (let step = 0; step <= STEPS; step++) {
    const request = { step, lr: 0.05, deadlineMs: 60_000, norms: true };
    const [reply] = await Promise.all(ranks.map((rank) => rank.handle('step', request)));
    replies.push(reply!.sides.map(({ side, loss, correct, norms }) => ({ side, loss, correct, norms })));
  }
  const digests = await Promise.all(ranks.map((rank) => rank.handle('digest', null)));
  for (const rank of ranks) rank.close();
  expect(digests[1]).toEqual(digests[0]);
  return { replies, digest: digests[0] };
}

describe.each(['wasm', 'tensorflow'] as const)('on %s, models whose steps overlap', (engine) => {
  test.skipIf(engine === 'tensorflow' && noLibrary)('train to the same bits', async () => {
    const overlapped = await digestsAfter(engine, true);
    expect(overlapped.replies.flat()).toHaveLength(2 * (STEPS + 1));
    expect(overlapped).toEqual(await digestsAfter(engine, false));
  });
});
