// The training loop: both models step by step on the same batches, validated each epoch, saved as they go.
import type { MetricRecord, RunConfig, Side, TrainingState } from '@trainer/protocol';
import type { Dataset } from '../data/contract.js';
import type { Session } from '../jit/contract.js';
import type { Checkpoint } from '../report/contract.js';
import { type PhaseSeconds, RunClock } from './clock.js';
import type { OnEvent, Position } from './contract.js';
import { type EpochScores, Evaluator } from './evaluation.js';
import { BatchFeed } from './feed.js';
import type { Plan } from './plan.js';
import { epochRecords, gapRecords, layerRecords, stamp, stepRecords } from './records.js';
import { SideBook } from './side.js';
import { takeSnapshot } from './snapshot.js';
import type { Batch, LayerNorms, Learner, StepOutcome } from './step.js';

export interface TrainOptions {
  readonly config: RunConfig;
  readonly plan: Plan;
  readonly dataset: Dataset;
  /** Images of `dataset.train` to train on and to validate with, and of `dataset.test` to test with. */
  readonly split: { readonly train: Uint32Array; readonly validation: Uint32Array; readonly test: Uint32Array };
  /** RGB bytes around cropped images. */
  readonly pad: readonly [number, number, number];
  readonly session: Session;
  readonly learners: readonly Learner[];
  /** Where to go on; the learners hold the weights of that moment. */
  readonly resume?: TrainingState | undefined;
  readonly onEvent: OnEvent;
  /** Writes a checkpoint; called one at a time, while training goes on. */
  readonly save: (checkpoint: Checkpoint, options: { best: boolean }) => Promise<string>;
  /** Ends the run after the step under way. */
  readonly stop: AbortSignal;
  /** Whether a checkpoint was asked for since the last call. */
  readonly checkpointAsked: () => boolean;
}

export interface TrainResult {
  readonly status: 'finished' | 'interrupted' | 'diverged';
  readonly state: TrainingState;
  /** Why it ended before its last step, for people. */
  readonly reason?: string;
  readonly seconds: PhaseSeconds;
  /** Milliseconds of filling batches, and those in which the engine waited for them. */
  readonly input: { readonly fillMs: number; readonly waitMs: number };
}

/** How often an epoch's layers are recorded: a picture of some hundred columns over a whole run. */
const NORMS_PER_EPOCH = 10;

/** A result that comes within this time after the next batch is filled was there before. */
const SETTLED_MS = 0.3;

/** What shows that a step spoiled the weights, if something does: its loss is of before the update, its norms are of the update. */
function troubleOf({ loss }: StepOutcome, norms: readonly LayerNorms[]): string | undefined {
  if (!Number.isFinite(loss)) return `its loss is ${loss}`;
  const spoiled = norms.find(({ gradient, step }) => !Number.isFinite(gradient) || !Number.isFinite(step));
  return spoiled && `the gradient of ${spoiled.layer} has norm ${spoiled.gradient}, its step ${spoiled.step},`;
}

export const train = (options: TrainOptions): Promise<TrainResult> => new Training(options).run();

class Training {
  readonly #options: TrainOptions;
  readonly #books: readonly SideBook[];
  readonly #feed: BatchFeed;
  readonly #evaluator: Evaluator;
  readonly #clock: RunClock;
  readonly #shapesSeen = new Set<number>();
  readonly #normsEvery: number;
  #step: number;
  #saving: Promise<unknown> = Promise.resolve();
  #savedStep: number;
  /** Set once the run is to end, before its last step or by failing. */
  #end: { readonly status: 'finished' | 'diverged'; readonly reason?: string } | undefined;

  constructor(options: TrainOptions) {
    const { dataset, plan, config, split, pad, resume, learners } = options;
    this.#options = options;
    this.#books = learners.map((learner) => new SideBook(learner, resume?.models[learner.model.side]));
    this.#feed = new BatchFeed({ set: dataset.train, indices: split.train, plan, seed: config.seed, pad });
    this.#evaluator = new Evaluator(dataset.test, config.batchSize);
    this.#clock = new RunClock(resume?.seconds ?? 0);
    this.#step = resume?.step ?? 0;
    this.#savedStep = resume?.step ?? 0;
    this.#normsEvery = Math.ceil(plan.stepsPerEpoch / NORMS_PER_EPOCH);
  }

  async run(): Promise<TrainResult> {
    const { plan, onEvent, stop, resume } = this.#options;
    onEvent({ type: 'ready', position: plan.position(this.#step), sides: this.#books.map((b) => b.side) });
    if (resume) this.#lookAtTime();
    // An epoch may have been left between its last step and its validation.
    if (this.#step > 0 && plan.isEpochEnd(this.#step) && this.#isOpen) await this.#endEpoch();
    while (this.#step < plan.steps && !this.#end) {
      if (stop.aborted) return await this.#interrupted();
      await this.#trainStep();
      if (this.#end) break;
      this.#lookAtTime();
      if (plan.isEpochEnd(this.#step) || this.#end) await this.#endEpoch();
      else if (this.#options.checkpointAsked()) await this.#save(false);
    }
    if (stop.aborted && this.#isOpen) return await this.#interrupted();
    const { status, reason } = this.#end ?? { status: 'finished' };
    return await this.#result(status, reason);
  }

  /** The epoch has steps that no validation has closed. */
  get #isOpen(): boolean {
    return this.#books.some((book) => book.state.sums.examples > 0);
  }

  get #position(): Position {
    return this.#options.plan.position(this.#step);
  }

  /** All models on one batch. Ends the run where one diverged: nothing of that step is recorded or saved. */
  async #trainStep(): Promise<void> {
    const { plan, onEvent } = this.#options;
    const lr = plan.lr(this.#step);
    const { count } = plan.batch(this.#step);
    const batch = this.#feed.take(this.#step);
    const compiled = !this.#shapesSeen.has(count);
    this.#shapesSeen.add(count);
    const records: MetricRecord[] = [];
    const at = stamp(plan.position(this.#step + 1));
    let seconds = 0;
    for (const book of this.#books) {
      const { outcome, stepMs } = await this.#compute(book, batch, lr);
      const norms = book.learner.norms;
      const trouble = troubleOf(outcome, norms);
      if (trouble) {
        this.#end = { status: 'diverged', reason: `${book.learner.model.title} diverged: ${trouble} at step ${this.#step + 1}` };
        return;
      }
      seconds += stepMs / 1000;
      book.addStep(outcome, count);
      if (!compiled) book.addTime(stepMs / 1000, count);
      records.push(...stepRecords(at, { side: book.side, outcome, examples: count, lr, stepMs }));
      if (this.#step % this.#normsEvery === 0) records.push(...layerRecords(at, book.side, norms));
    }
    this.#step++;
    this.#clock.addStep(seconds, compiled);
    onEvent({ type: 'metrics', records });
    onEvent({ type: 'step', ...this.#progress(), imagesPerSec: this.#imagesPerSec() });
  }

  /** One model's step. The next batch is filled while the engine computes; the time is the engine's. */
  async #compute({ learner }: SideBook, batch: Batch, lr: number): Promise<{ outcome: StepOutcome; stepMs: number }> {
    const began = performance.now();
    const running = learner.train(batch, lr);
    const fillMs = this.#feed.prefetch(this.#step + 1);
    const filled = performance.now();
    const outcome = await running;
    const ended = performance.now();
    // Where the result was there already, the engine had been done for some part of the filling: all of it is counted.
    const waited = this.#options.session.engine === 'wasm' || ended - filled < SETTLED_MS;
    if (waited) this.#feed.waitMs += fillMs;
    return { outcome, stepMs: ended - began - (waited ? fillMs : 0) };
  }

  #progress() {
    const sides: Partial<Record<Side, SideBook['progress']>> = Object.fromEntries(this.#books.map((b) => [b.side, b.progress]));
    return { position: this.#position, sides, etaSeconds: this.#clock.eta(this.#options.plan, this.#step) };
  }

  /** Validates, records, saves; ends the run where a target is reached. Does nothing once a stop is asked for. */
  async #endEpoch(): Promise<void> {
    const { onEvent, config, plan } = this.#options;
    const position = this.#position;
    this.#clock.enter('validation');
    onEvent({ type: 'phase', phase: 'validation', position });
    const scores: EpochScores[] = [];
    for (const book of this.#books) scores.push(await this.#score(book));
    this.#clock.enter('training');
    if (this.#options.stop.aborted) return;
    const improved = this.#books.map((book, i) => book.endEpoch(position.epoch, scores[i]!));
    const at = stamp(position);
    const records = this.#books.flatMap((book, i) => epochRecords(at, book, scores[i]!));
    onEvent({ type: 'metrics', records: [...records, ...gapRecords(at, this.#books)] });
    onEvent({ type: 'epoch', ...this.#progress(), seconds: this.#clock.elapsed, imagesPerSec: this.#imagesPerSec() });
    for (const book of this.#books) book.startEpoch();
    this.#lookAtScores(scores);
    if (this.#end?.status === 'diverged') return;
    // The pair's best is where its first model is: the residual net, unless the plain one trains alone.
    const best = improved[0]!;
    const asked = this.#options.checkpointAsked();
    const due = position.epoch % config.checkpointEvery === 0 || this.#step === plan.steps || this.#end !== undefined;
    if (due || best || asked) await this.#save(best);
  }

  #lookAtScores(scores: readonly EpochScores[]): void {
    const { targetAcc } = this.#options.config;
    this.#books.forEach(({ learner }, i) => {
      const { validation, test } = scores[i]!;
      const loss = [validation?.loss, test?.loss].find((value) => value !== undefined && !Number.isFinite(value));
      if (loss !== undefined)
        this.#end = {
          status: 'diverged',
          reason: `${learner.model.title} diverged: its loss is ${loss} after step ${this.#step}`,
        };
    });
    if (!this.#end && targetAcc !== null && this.#books.every((b) => (b.state.valAccuracy ?? 0) >= targetAcc))
      this.#end = { status: 'finished', reason: `every model reached ${targetAcc}% validation accuracy` };
  }

  #lookAtTime(): void {
    const { config, plan } = this.#options;
    if (config.maxTime !== null && this.#clock.elapsed >= config.maxTime && this.#step < plan.steps)
      this.#end = { status: 'finished', reason: `the ${config.maxTime} s of --max-time are over` };
  }

  async #score({ learner }: SideBook): Promise<EpochScores> {
    const { dataset, split, stop } = this.#options;
    const stopped = (): boolean => stop.aborted;
    const validation = await this.#evaluator.score(learner, dataset.train, split.validation, stopped);
    const test = await this.#evaluator.score(learner, dataset.test, split.test, stopped);
    return { validation, test };
  }

  #imagesPerSec(): number {
    return (this.#options.plan.batchSize * this.#books.length) / this.#clock.stepSeconds;
  }

  /** Copies the weights now, writes them while training goes on; one save at a time. */
  async #save(best: boolean): Promise<void> {
    const { session, save, onEvent } = this.#options;
    const position = this.#position;
    this.#clock.enter('checkpoint');
    onEvent({ type: 'phase', phase: 'checkpoint', position });
    await this.#saving;
    const models = Object.fromEntries(this.#books.map((b) => [b.side, takeSnapshot(session, b.learner)]));
    const written = save({ state: this.#state(), models }, { best });
    this.#savedStep = this.#step;
    this.#saving = written.then((path) => onEvent({ type: 'checkpoint', position, path, best }));
    // A failure is thrown by whoever awaits next; until then it is not unhandled.
    this.#saving.catch(() => undefined);
    this.#clock.enter('training');
    onEvent({ type: 'phase', phase: 'training', position });
  }

  #state(): TrainingState {
    const { plan, dataset } = this.#options;
    const { epoch } = plan.batch(this.#step);
    return {
      version: 1,
      step: this.#step,
      epoch,
      stepInEpoch: this.#step % plan.stepsPerEpoch,
      seconds: this.#clock.elapsed,
      dataHash: dataset.hash,
      models: Object.fromEntries(this.#books.map((b) => [b.side, b.state])),
      lrFactor: 1,
      ranks: 1,
    };
  }

  async #interrupted(): Promise<TrainResult> {
    if (this.#savedStep !== this.#step) await this.#save(false);
    return await this.#result('interrupted');
  }

  async #result(status: TrainResult['status'], reason?: string): Promise<TrainResult> {
    this.#clock.enter('checkpoint');
    await this.#saving;
    const { fillMs, waitMs } = this.#feed;
    return { status, state: this.#state(), seconds: this.#clock.seconds, input: { fillMs, waitMs }, ...(reason && { reason }) };
  }
}
