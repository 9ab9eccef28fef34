// The coordinator's side of the ranks, the ranks and fake devices, as they are, on simulated channels, exchanges and time.
import { describe, expect, it } from 'vitest';
import type { ExchangeGroup } from '../allreduce/shared-memory.js';
import { Ranks } from '../coordinator/ranks.js';
import type { ImageSet } from '../data/contract.js';
import { answerRequests, type ReplyMessage, type RequestMessage } from '../link/requests.js';
import { testConfig } from '../report/test-config.js';
import { type FakeDeviceOptions, openFakeDevice } from '../worker/fake/fake-device.js';
import { createModels, initialValues } from '../worker/pair.js';
import { Rank } from '../worker/rank.js';
import type { RankBody, RankLog } from '../worker/rank-protocol.js';
import { SOCKET, simulatedChannelPair } from './channels.js';
import { SimulatedExchanges } from './exchange.js';
import { firstFailure, type Scenario, type Simulation, simulate } from './simulate.js';

const CONFIG = testConfig({ depth: 8, width: 0.125, model: ['resnet'], batchSize: 16, epochs: 2, syncBn: false });
const CLASSES = ['a', 'b', 'c'];
const SET: ImageSet = {
  count: 40,
  height: 8,
  width: 8,
  images: Uint8Array.from({ length: 40 * 192 }, (_, i) => (i * 7919) % 251),
  labels: Int32Array.from({ length: 40 }, (_, i) => i % 3),
};
const SPLIT = {
  train: Uint32Array.from({ length: 32 }, (_, i) => i),
  validation: Uint32Array.of(32, 33, 34),
  test: Uint32Array.of(35),
};

/** Three ranks with fake devices, and who asks them. */
function openRanks({ clock, random, trace }: Simulation, fake: FakeDeviceOptions): Ranks {
  const exchanges = new SimulatedExchanges(clock);
  const channels = [0, 1, 2].map((rank) => {
    const { a, b } = simulatedChannelPair<RequestMessage<RankBody>, ReplyMessage<unknown> | RankLog>({
      clock,
      trace,
      random: random('line', rank),
      faults: SOCKET,
      names: ['coordinator', `rank ${rank}`],
    });
    const openDevice = () => openFakeDevice(fake, rank, clock);
    const join: typeof exchanges.join = (group, of, layout) => exchanges.join(group, of, layout);
    const end = new Rank({ rank, ranks: 3, openDevice, join });
    answerRequests<RankBody, unknown>(b, ({ call, request }) => end.handle(call, request));
    return a;
  });
  return new Ranks({
    channels,
    clock,
    deadline: null,
    onLog: () => {},
    connect: (sides) => {
      const groups = Object.fromEntries(sides.map((side) => [side, exchanges.create({ ranks: 3, wire: 'fp32' })]));
      return {
        // A simulated group is a number.
        groups: { gradients: groups as unknown as Record<string, ExchangeGroup> },
        abort: (reason) => {
          for (const group of Object.values(groups)) exchanges.abort(group, reason);
        },
      };
    },
  });
}

/** Places weights and takes so many steps; the losses. */
async function train(ranks: Ranks, steps: number): Promise<number[]> {
  await ranks.open();
  await ranks.build({ config: CONFIG, classes: CLASSES, train: SET, test: SET });
  const [model] = createModels(CONFIG, { classes: CLASSES, train: SET });
  const values = initialValues(model!, 1);
  const zeros = Object.entries(values).filter(([, { trainable }]) => trainable);
  const velocities = Object.fromEntries(zeros.map(([n, { shape, data }]) => [n, { shape, data: new Float32Array(data.length) }]));
  const pixels = { mean: [1, 2, 3], std: [1, 1, 1] } as const;
  await ranks.place({ config: CONFIG, split: SPLIT, pixels, models: { resnet: { values, velocities } }, source: 'a test' });
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const { sides } = await ranks.step({ step, lr: 0.05, norms: false, compiles: false });
    losses.push(sides[0]!.loss);
    await ranks.verify(step + 1);
  }
  return losses;
}

const training =
  (fake: FakeDeviceOptions, end: (losses: number[], simulation: Simulation) => void = () => {}): Scenario =>
  async (simulation) => {
    const ranks = openRanks(simulation, fake);
    end(await train(ranks, 10), simulation);
    await ranks.close();
  };

describe('simulated ranks', () => {
  it('train to the same losses whatever the timing, and to the same trace by the same seed', async () => {
    const seen = new Set<string>();
    const scenario = training({ stepMs: [5, 200] }, (losses, { trace }) => {
      trace.add(`losses ${losses}`);
      seen.add(losses.join());
    });
    const once = await simulate({ seed: 1, scenario, limitMs: 600_000 });
    expect(await simulate({ seed: 1, scenario, limitMs: 600_000 })).toEqual(once);
    expect(await firstFailure({ seeds: 20, scenario, limitMs: 600_000 })).toBeUndefined();
    expect(seen.size).toBe(1);
  });

  it.each([
    ['throws', { do: 'throw' }, /rank 1 throws as it was told to, in gradients of step 4/],
    ['is frozen', { do: 'freeze-js' }, /rank 1 is late at step 4|is frozen: it did not answer within/],
    ['goes astray', { do: 'corrupt', phase: 'apply' }, /rank 1 does not hold the weights of rank 0/],
  ] as const)('all fail where one %s, and say why', async (_, deed, reason) => {
    const fault = { rank: 1, step: 4, phase: 'gradients', ...deed } as const;
    for (let seed = 0; seed < 5; seed++) {
      const failure = await simulate({ seed, scenario: training({ stepMs: [5, 50], faults: [fault] }), limitMs: 600_000 }).catch(
        (error) => error,
      );
      expect(failure).toMatchObject({ fault: 'error', cause: { name: 'RankFailure' } });
      expect(failure.cause.message).toMatch(reason);
    }
  });
});
