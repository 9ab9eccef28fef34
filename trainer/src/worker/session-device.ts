// The real device: models traced into a session of the compiled engine, or of WebAssembly.
import type { RunConfig } from '@trainer/protocol';
import type { ChannelStatistics } from '../data/contract.js';
import type { Session } from '../jit/contract.js';
import type { ModelTensors } from '../report/contract.js';
import type { Device, DeviceDescription, DeviceModel, SharedOutcome, SharedStep } from './device.js';
import { type Engine, openEngine } from './engine.js';
import { createLearner, createModels, initialValues } from './pair.js';
import type { BuildRequest } from './rank-protocol.js';
import { restoreSnapshot, takeSnapshot } from './snapshot.js';
import type { Batch, LayerNorms, Learner, StepOutcome } from './step.js';

export interface SessionDeviceOptions {
  readonly engine: RunConfig['engine'];
  /** `/device:GPU:1`; the CPU where absent. */
  readonly device?: string;
  /** For people. */
  readonly name?: string;
  readonly intraOpThreads?: number;
  readonly deterministic: boolean;
  readonly onNotice: (line: string) => void;
}

/** Stands in until the training images are chosen. */
const ANY_PIXELS: ChannelStatistics = { mean: [128, 128, 128], std: [64, 64, 64] };

/** @throws TrainerError (environment) where the engine asked for, or the device, is not there */
export async function openSessionDevice(options: SessionDeviceOptions): Promise<Device> {
  const { device, intraOpThreads, name } = options;
  const engine = await openEngine({
    ...options,
    session: { ...(device !== undefined && { device }), ...(intraOpThreads !== undefined && { intraOpThreads }) },
  });
  return new SessionDevice(engine, name);
}

class SessionDevice implements Device {
  readonly description: DeviceDescription;
  readonly overlaps: boolean;
  readonly #session: Session;
  #learners: Learner[] = [];

  constructor({ session, library, device, gpu, fastBf16 }: Engine, name: string | undefined) {
    this.#session = session;
    this.description = { engine: session.engine, library, device: name ?? device, gpu, fastBf16 };
    // A CPU's cores are as busy with the one as with the other.
    this.overlaps = gpu;
  }

  build({ config, classes, train }: BuildRequest, ranks: number): DeviceModel[] {
    const session = this.#session;
    this.#learners = createModels(config, { classes, train }).map((model) =>
      createLearner(model, initialValues(model, config.seed), { session, config, pixels: ANY_PIXELS, ranks }),
    );
    return this.#learners.map((learner) => new SessionModel(session, learner));
  }

  close(): void {
    for (const learner of this.#learners) learner.dispose();
    this.#learners = [];
    this.#session.close();
  }
}

class SessionModel implements DeviceModel {
  readonly side;
  readonly title;
  readonly layout;
  readonly syncLayout;
  readonly #session: Session;
  readonly #learner: Learner;

  constructor(session: Session, learner: Learner) {
    this.side = learner.model.side;
    this.title = learner.model.title;
    this.layout = learner.layout;
    this.syncLayout = learner.syncLayout;
    this.#session = session;
    this.#learner = learner;
  }

  get norms(): LayerNorms[] {
    return this.#learner.norms;
  }

  train(batch: Batch, lr: number): Promise<StepOutcome> {
    return this.#learner.train(batch, lr);
  }

  trainShared(step: SharedStep): Promise<SharedOutcome> {
    return this.#learner.trainShared(step);
  }

  evaluate(batch: Batch, count: number): Promise<StepOutcome> {
    return this.#learner.evaluate(batch, count);
  }

  setPixels(pixels: ChannelStatistics): void {
    this.#learner.setPixels(pixels);
  }

  snapshot(into?: ModelTensors): ModelTensors {
    return takeSnapshot(this.#session, this.#learner, into);
  }

  restore(snapshot: ModelTensors, source: string): void {
    restoreSnapshot(this.#session, this.#learner, snapshot, source);
  }
}
