// The run that nothing disturbs: the same ranks on the same fake devices, asked for one step after the other, without lines,
// clocks, saves or restarts. What simulated runs are held against.
import type { RunConfig, Side } from '@trainer/protocol';
import type { ExchangeGroup } from '../../allreduce/shared-memory.js';
import { chooseImages } from '../../coordinator/prepare.js';
import { firstWeights } from '../../coordinator/weights.js';
import { openFakeDevice } from '../../worker/fake/fake-device.js';
import { createModels } from '../../worker/pair.js';
import { Plan } from '../../worker/plan.js';
import { Rank } from '../../worker/rank.js';
import { SimulatedClock } from '../clock.js';
import { SimulatedExchanges } from '../exchange.js';
import { checksum } from './disk.js';
import { DATASET } from './images.js';

export interface Undisturbed {
  /** Of all weights and velocities after so many steps. */
  readonly checksums: readonly number[];
  /** Of each step, from the first. */
  readonly losses: readonly Partial<Record<Side, number>>[];
  readonly rates: readonly number[];
}

const known = new Map<string, Promise<Undisturbed>>();

/** @param factors of the learning rate, by the number of steps completed before */
export function undisturbed(config: RunConfig, ranks: number, factors: readonly number[]): Promise<Undisturbed> {
  const key = JSON.stringify([config, ranks, factors]);
  const run = known.get(key) ?? train(config, ranks, factors);
  known.set(key, run);
  return run;
}

async function train(config: RunConfig, count: number, factors: readonly number[]): Promise<Undisturbed> {
  const ranks = await placed(config, count);
  const plan = new Plan(chooseImages(config, DATASET, count).split.train.length, config);
  const checksums = [checksum({ models: await ranks[0]!.handle('snapshot', null) })];
  const losses: Partial<Record<Side, number>>[] = [];
  const rates: number[] = [];
  for (const [step, factor] of factors.entries()) {
    const lr = plan.lr(step) * factor;
    const request = { step, lr, norms: false, deadlineMs: 1000 };
    const [first] = await Promise.all(ranks.map((rank) => rank.handle('step', request)));
    losses.push(Object.fromEntries(first!.sides.map(({ side, loss }) => [side, loss])));
    rates.push(lr);
    checksums.push(checksum({ models: await ranks[0]!.handle('snapshot', null) }));
  }
  return { checksums, losses, rates };
}

async function placed(config: RunConfig, count: number): Promise<Rank[]> {
  const exchanges = new SimulatedExchanges(new SimulatedClock());
  const groups = Object.fromEntries(config.model.map((side) => [side, exchanges.create({ ranks: count, wire: config.wire })]));
  const { classes, train, test } = DATASET;
  const models = createModels(config, DATASET);
  const weights = firstWeights({ models, config });
  const ranks = Array.from({ length: count }, (_, rank) => {
    const join: typeof exchanges.join = (group, of, layout) => exchanges.join(group, of, layout);
    return new Rank({ rank, ranks: count, openDevice: () => openFakeDevice({}, rank), join });
  });
  for (const rank of ranks) {
    await rank.handle('open', null);
    await rank.handle('build', { config, classes, train, test });
    // A simulated group is a number.
    if (count > 1) await rank.handle('join', { gradients: groups as unknown as Record<string, ExchangeGroup> });
    await rank.handle('place', {
      config,
      ...chooseImages(config, DATASET, count),
      models: weights.models,
      source: 'the beginning',
    });
  }
  return ranks;
}
