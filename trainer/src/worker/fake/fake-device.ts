// A device without hardware, for tests of everything around it: models of the run's real shapes that compute nothing much.
import { type Clock, systemClock } from '../../time.js';
import type { Device, DeviceDescription, DeviceModel } from '../device.js';
import type { BuildRequest } from '../rank-protocol.js';
import { FakeModel } from './fake-model.js';
import { FaultPlan } from './faults.js';
import { IdleModel } from './idle-model.js';
import type { FakeDeviceOptions } from './options.js';

export type { FakeDeviceOptions } from './options.js';

const DESCRIPTION: DeviceDescription = {
  engine: 'fake',
  library: 'no library',
  device: 'a fake device',
  gpu: false,
  fastBf16: false,
};

/** What of the pure descriptions of models is needed to make fake ones. */
type Pair = typeof import('../pair.js');

/**
 * Its models have the names and shapes of the configuration's and are as exact as real ones: the same bits for the same batches,
 * and a mean over shards that is the whole batch's to rounding.
 */
export async function openFakeDevice(options: FakeDeviceOptions, rank: number, clock: Clock = systemClock): Promise<Device> {
  // Loaded here, as whoever only speaks of a fake device needs none of it.
  return new FakeDevice(await import('../pair.js'), { options, rank, clock });
}

interface Settings {
  readonly options: FakeDeviceOptions;
  readonly rank: number;
  readonly clock: Clock;
}

class FakeDevice implements Device {
  readonly description = DESCRIPTION;
  readonly overlaps: boolean;
  readonly #pair: Pair;
  readonly #settings: Settings;

  constructor(pair: Pair, settings: Settings) {
    this.#pair = pair;
    this.#settings = settings;
    this.overlaps = settings.options.idle ?? false;
  }

  build({ config, classes, train }: BuildRequest): DeviceModel[] {
    const { options, rank, clock } = this.#settings;
    const { momentum, weightDecay, decayNorm, freeze } = config;
    const faults = new FaultPlan(options.faults ?? [], rank, clock);
    const stepMs = options.stepMs ?? [0, 0];
    return this.#pair.createModels(config, { classes, train }).map((model) => {
      const common = {
        side: model.side,
        title: model.title,
        initial: this.#pair.initialValues(model, config.seed),
        isFrozen: this.#pair.isFrozenBy(freeze),
        clock,
      };
      if (options.idle) return new IdleModel({ ...common, stepMs: stepMs[1] });
      // Another for each rank, by a prime that no seed is likely to reach.
      const seed = (options.seed ?? 0) + rank * 1_000_003;
      return new FakeModel({ ...common, sgd: { momentum, weightDecay, decayNorm }, faults, stepMs, seed });
    });
  }

  close(): void {}
}
