// One rank: does what the coordinator asks with the models of its device, one thing after the other.
import { createHash } from 'node:crypto';
import type { Side } from '@trainer/protocol';
import type { Exchange, ExchangeLayout } from '../allreduce/contract.js';
import type { ExchangeGroup } from '../allreduce/shared-memory.js';
import type { Dataset } from '../data/contract.js';
import type { ModelTensors } from '../report/contract.js';
import type { Device, DeviceModel, SharedOutcome } from './device.js';
import { PartEvaluator } from './evaluation.js';
import { BatchFeed } from './feed.js';
import { localExchange } from './local-exchange.js';
import { overlapped, type Step } from './overlap.js';
import { Plan, partOf } from './plan.js';
import { timeSteps } from './quick.js';
import type {
  BuildRequest,
  InputTimes,
  JoinRequest,
  PlaceRequest,
  RankCall,
  RankCalls,
  ScoreRequest,
  SideStep,
  StepReply,
  StepRequest,
  Sums,
} from './rank-protocol.js';
import type { Batch, LayerNorms, StepOutcome } from './step.js';
import { syncExchangeBy } from './sync-exchange.js';

export interface RankOptions {
  readonly rank: number;
  readonly ranks: number;
  readonly openDevice: () => Promise<Device>;
  readonly join: (group: ExchangeGroup, rank: number, layout: ExchangeLayout) => Exchange;
}

/** What a run needs once its weights are placed. */
interface Placed {
  readonly plan: Plan;
  readonly feed: BatchFeed;
  readonly evaluator: PartEvaluator;
  readonly request: PlaceRequest;
}

/** A result that comes within this time after the next batch is filled was there before. */
const SETTLED_MS = 0.3;

/** What an exchange is made by. */
type Around = Parameters<Step<SideStep>>[0];

type Handlers = { [C in RankCall]: (request: RankCalls[C]['request']) => Promise<RankCalls[C]['reply']> };

export class Rank {
  readonly #options: RankOptions;
  readonly #exchanges = new Map<Side, Exchange>();
  readonly #norms = new Map<Side, { readonly exchange: Exchange; readonly of: ReturnType<typeof syncExchangeBy> }>();
  readonly #snapshots = new Map<Side, ModelTensors>();
  /** The snapshots are of the weights of now: a comparison of ranks and the save that follows it take one copy. */
  #isCopied = false;
  #device: Device | undefined;
  #models: readonly DeviceModel[] = [];
  #data: Pick<Dataset, 'train' | 'test'> | undefined;
  #placed: Placed | undefined;
  readonly #handlers: Handlers = {
    open: async () => {
      this.#device = await this.#options.openDevice();
      return this.#device.description;
    },
    build: async (request) => this.#build(request),
    join: async (groups) => {
      for (const model of this.#models) this.#join(model, groups);
      return null;
    },
    time: async ({ batchSize }) => this.#time(batchSize),
    place: async (request) => this.#place(request),
    step: (request) => this.#step(request),
    score: (request) => this.#score(request),
    snapshot: async () => this.#snapshot(),
    digest: async () => this.#digest(),
    close: async () => {
      this.close();
      return null;
    },
  };

  constructor(options: RankOptions) {
    this.#options = options;
  }

  handle<C extends RankCall>(call: C, request: RankCalls[C]['request']): Promise<RankCalls[C]['reply']> {
    return this.#handlers[call](request);
  }

  /** Leaves its groups and frees its device. Idempotent. */
  close(): void {
    for (const exchange of this.#exchanges.values()) exchange.close();
    for (const { exchange } of this.#norms.values()) exchange.close();
    this.#exchanges.clear();
    this.#norms.clear();
    this.#device?.close();
    this.#device = undefined;
  }

  #join({ side, layout, syncLayout }: DeviceModel, { gradients, norms }: JoinRequest): void {
    const { join, rank } = this.#options;
    this.#exchanges.set(side, join(gradients[side]!, rank, layout));
    if (!syncLayout) return;
    const exchange = join(norms![side]!, rank, syncLayout);
    this.#norms.set(side, { exchange, of: syncExchangeBy(exchange, syncLayout) });
  }

  #build(request: BuildRequest): null {
    this.#data = request;
    this.#models = this.#device!.build(request, this.#options.ranks);
    return null;
  }

  #time(batchSize: number): Promise<number> {
    const { ranks } = this.#options;
    const { train } = this.#data!;
    this.#isCopied = false;
    return timeSteps({ models: this.#models, train, batchSize: Math.max(1, Math.floor(batchSize / ranks)), shared: ranks > 1 });
  }

  #place(request: PlaceRequest): null {
    const { config, split, pixels, models, source } = request;
    this.#isCopied = false;
    for (const model of this.#models) {
      model.setPixels(pixels);
      model.restore(models[model.side]!, source);
    }
    const { rank, ranks } = this.#options;
    const { train, test } = this.#data!;
    const pad = pixels.mean.map(Math.round) as [number, number, number];
    const plan = new Plan(split.train.length, config);
    const together = this.#norms.size > 0;
    const feed = new BatchFeed({ set: train, indices: split.train, plan, seed: config.seed, pad, rank, ranks, together });
    this.#placed = { plan, feed, evaluator: new PartEvaluator(test, Math.ceil(config.batchSize / ranks)), request };
    return null;
  }

  async #step(request: StepRequest): Promise<StepReply> {
    const { feed, request: run } = this.#placed!;
    this.#isCopied = false;
    const before = { fillMs: feed.fillMs, waitMs: feed.waitMs };
    const batches = feed.take(request.step, run.config.accumulate);
    const sides = this.#overlaps ? await this.#together(batches, request) : await this.#inTurn(batches, request);
    return { sides, input: difference(feed, before) };
  }

  /** Norms over all ranks have exchanges of their own, in the middle of a step. */
  get #overlaps(): boolean {
    return this.#device!.overlaps && this.#models.length === 2 && this.#exchanges.size === 2 && this.#norms.size === 0;
  }

  async #inTurn(batches: readonly Batch[], request: StepRequest): Promise<SideStep[]> {
    const sides: SideStep[] = [];
    for (const model of this.#models) {
      const side = await this.#trainSide(model, batches, request);
      sides.push(side);
      if (side.trouble !== undefined) break;
    }
    return sides;
  }

  /** Both models, overlapped. The time until the first one's exchange has ended is the first one's. */
  async #together(batches: readonly Batch[], request: StepRequest): Promise<SideStep[]> {
    const [first, second] = this.#models as readonly [DeviceModel, DeviceModel];
    const began = performance.now();
    let exchanged = began;
    const [one, two] = await overlapped<SideStep>(
      (around) =>
        this.#trainSide(first, batches, request, (exchange) =>
          around(async () => {
            const times = await exchange();
            exchanged = performance.now();
            return times;
          }),
        ),
      (around) => this.#trainSide(second, batches, request, around),
    );
    return [
      { ...one, stepMs: exchanged - began },
      { ...two, stepMs: performance.now() - exchanged },
    ];
  }

  /** One model's step. The next batch is filled while the device computes; the time is the device's. */
  async #trainSide(
    model: DeviceModel,
    batches: readonly Batch[],
    request: StepRequest,
    around: Around = (exchange) => exchange(),
  ): Promise<SideStep> {
    const { feed } = this.#placed!;
    const began = performance.now();
    const running = this.#train(model, batches, request, around);
    const fillMs = feed.prefetch(request.step + 1);
    const filled = performance.now();
    const outcome = await running;
    const ended = performance.now();
    const computeMs = 'computeMs' in outcome ? outcome.computeMs : ended - began;
    // Where the result was there already, the device had been done for some part of the filling: all of it is counted.
    const waited = this.#device!.description.engine === 'wasm' || began + computeMs - filled < SETTLED_MS;
    if (waited) feed.waitMs += fillMs;
    const norms = model.norms;
    const trouble = troubleOf(outcome, norms);
    return {
      side: model.side,
      loss: outcome.loss,
      correct: outcome.correct,
      stepMs: ended - began - (waited ? fillMs : 0),
      times: 'times' in outcome ? { ...outcome.times, computeMs, applyMs: outcome.applyMs } : { computeMs },
      ...(trouble !== undefined && { trouble }),
      ...(request.norms && { norms }),
    };
  }

  #train(
    model: DeviceModel,
    batches: readonly Batch[],
    { lr, step, deadlineMs }: StepRequest,
    around: Around,
  ): Promise<StepOutcome | SharedOutcome> {
    const began = performance.now();
    const exchange = this.#exchanges.get(model.side);
    const [only] = batches;
    const left = (): number => Math.max(1, deadlineMs - (performance.now() - began));
    if (!exchange && only && batches.length === 1) return model.train(only, lr);
    const norms = this.#norms.get(model.side);
    const { plan, feed } = this.#placed!;
    return model.trainShared({
      batches,
      examples: plan.batch(step).count,
      lr,
      exchange: exchange
        ? (contribution, into) => around(() => exchange.exchange(contribution, into, { step, deadlineMs: left() }))
        : localExchange,
      ...(norms && !feed.isUndivided(step) && { syncExchange: norms.of({ step, deadlineMs }) }),
    });
  }

  async #score({ side, set, start, count }: ScoreRequest): Promise<Sums> {
    const { evaluator, request } = this.#placed!;
    const model = this.#models.find((candidate) => candidate.side === side)!;
    const images = set === 'test' ? this.#data!.test : this.#data!.train;
    return evaluator.sums(model, images, request.split[set], partOf({ start, count }, this.#options.rank, this.#options.ranks));
  }

  #snapshot(): Partial<Record<Side, ModelTensors>> {
    if (!this.#isCopied)
      for (const model of this.#models) this.#snapshots.set(model.side, model.snapshot(this.#snapshots.get(model.side)));
    this.#isCopied = true;
    return Object.fromEntries(this.#snapshots);
  }

  #digest(): Record<string, string> {
    const entries = Object.entries(this.#snapshot()).flatMap(([side, { values, velocities }]) =>
      Object.entries({ value: values, velocity: velocities }).flatMap(([kind, tensors]) =>
        Object.entries(tensors).map(([name, { data }]) => [`${side} ${kind} of ${name}`, hashOf(data)] as const),
      ),
    );
    return Object.fromEntries(entries);
  }
}

const hashOf = (data: Float32Array): string =>
  createHash('sha1')
    .update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
    .digest('base64');

const difference = (now: InputTimes, before: InputTimes): InputTimes => ({
  fillMs: now.fillMs - before.fillMs,
  waitMs: now.waitMs - before.waitMs,
});

/** What shows that a step spoiled the weights, if something does: its loss is of before the update, its norms are of the update. */
function troubleOf({ loss }: StepOutcome, norms: readonly LayerNorms[]): string | undefined {
  if (!Number.isFinite(loss)) return `its loss is ${loss}`;
  const spoiled = norms.find(({ gradient, step }) => !Number.isFinite(gradient) || !Number.isFinite(step));
  return spoiled && `the gradient of ${spoiled.layer} has norm ${spoiled.gradient}, its step ${spoiled.step},`;
}
