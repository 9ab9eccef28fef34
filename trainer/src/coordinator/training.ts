// The schedule of a run: every step of both models on all ranks, validated each epoch, saved as it goes.
import type { MetricRecord, Position, RunConfig, Side, TrainingState } from '@trainer/protocol';
import type { Checkpoint } from '../report/contract.js';
import type { Clock } from '../time.js';
import type { Plan } from '../worker/plan.js';
import { type PhaseSeconds, RunClock } from './clock.js';
import type { GroupStep, RankGroup, Teller } from './contract.js';
import type { Controls } from './controls.js';
import { RankTimeMeans } from './rank-times.js';
import { epochRecords, gapRecords, layerRecords, rankRecords, stamp, stepRecords } from './records.js';
import { Saver, type SaverOptions } from './saver.js';
import { type EpochScores, score } from './scores.js';
import { SideBook } from './side.js';

export interface TrainOptions extends Pick<SaverOptions, 'checkpoint' | 'commit'> {
  readonly config: RunConfig;
  readonly plan: Plan;
  /** By side, for messages: 'ResNet-20'. */
  readonly models: readonly { readonly side: Side; readonly title: string }[];
  /** Images to validate and to test with. */
  readonly images: { readonly validation: number; readonly test: number };
  readonly dataHash: string;
  /** They hold the weights to begin with. */
  readonly group: RankGroup;
  /** Where to go on. */
  readonly resume?: TrainingState | undefined;
  /** That there is a checkpoint of it. */
  readonly isSaved: boolean;
  readonly teller: Teller;
  readonly controls: Controls;
  readonly clock: Clock;
  readonly commitEverySeconds: number;
}

export interface TrainResult {
  readonly status: 'finished' | 'interrupted' | 'diverged';
  readonly state: TrainingState;
  /** Why it ended before its last step, for people. */
  readonly reason?: string;
  readonly seconds: PhaseSeconds;
  /** Milliseconds of filling batches, and those in which the first rank waited for them. */
  readonly input: { readonly fillMs: number; readonly waitMs: number };
}

/** How often an epoch's layers are recorded: a picture of some hundred columns over a whole run. */
const NORMS_PER_EPOCH = 10;

/** Steps between comparisons of all ranks' weights, beside one before each save and at the end of each epoch. */
const VERIFY_EVERY = 500;

export const train = (options: TrainOptions): Promise<TrainResult> => new Training(options).run();

class Training {
  readonly #options: TrainOptions;
  readonly #books: readonly SideBook[];
  readonly #clock: RunClock;
  readonly #saver: Saver;
  readonly #shapesSeen = new Set<number>();
  readonly #normsEvery: number;
  readonly #input = { fillMs: 0, waitMs: 0 };
  /** Of the steps since ranks' times were recorded. */
  readonly #rankTimes = new RankTimeMeans();
  #step: number;
  #savedStep: number;
  #committedAt: number;
  /** After how many steps the ranks' weights were last seen to agree. */
  #verifiedStep = -1;
  /** Set once the run is to end, before its last step or by failing. */
  #end: { readonly status: 'finished' | 'diverged'; readonly reason?: string } | undefined;

  constructor(options: TrainOptions) {
    const { plan, resume, isSaved, models, clock, controls, checkpoint, commit, teller } = options;
    this.#options = options;
    this.#books = models.map((model) => new SideBook(model, resume?.models[model.side]));
    this.#clock = new RunClock(resume?.seconds ?? 0, () => clock.now());
    this.#saver = new Saver({ checkpoint, commit, onEvent: teller.onEvent });
    this.#step = resume?.step ?? 0;
    this.#savedStep = isSaved ? this.#step : -1;
    this.#committedAt = clock.now();
    this.#normsEvery = Math.ceil(plan.stepsPerEpoch / NORMS_PER_EPOCH);
    controls.begin(this.#step, resume?.lrFactor ?? 1);
  }

  async run(): Promise<TrainResult> {
    const { plan, teller, group, controls, resume } = this.#options;
    teller.onEvent({ type: 'ready', position: this.#position, sides: this.#books.map((b) => b.side), ranks: group.ranks });
    if (resume) this.#lookAtTime();
    // Before anything can be lost there is something to begin anew from.
    else await this.#commit();
    await this.#settleControls();
    // An epoch may have been left between its last step and its validation.
    if (this.#step > 0 && plan.isEpochEnd(this.#step) && this.#isOpen && !controls.stopped) await this.#endEpoch();
    while (this.#step < plan.steps && !this.#end && !controls.stopped) {
      await this.#trainStep();
      if (this.#end) break;
      this.#lookAtTime();
      await this.#betweenSteps();
      await teller.ready();
      await this.#settleControls();
    }
    const left = this.#isOpen || (this.#step < plan.steps && !this.#end);
    if (controls.stopAsked && left && this.#end?.status !== 'diverged') return await this.#interrupted();
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

  async #settleControls(): Promise<void> {
    const { controls, teller } = this.#options;
    do {
      await controls.settle(this.#step, () => {
        this.#clock.enter('paused');
        teller.onEvent({ type: 'phase', phase: 'paused', position: this.#position });
      });
      if (controls.takeCheckpoint() && this.#savedStep !== this.#step) await this.#save(false);
    } while (controls.paused);
    this.#enterTraining();
  }

  #enterTraining(): void {
    if (this.#clock.phase === 'training') return;
    this.#clock.enter('training');
    this.#options.teller.onEvent({ type: 'phase', phase: 'training', position: this.#position });
  }

  /** All models on one batch. Ends the run where one diverged: nothing of that step is recorded or saved. */
  async #trainStep(): Promise<void> {
    const { plan, teller, group, controls } = this.#options;
    const { count } = plan.batch(this.#step);
    const compiles = !this.#shapesSeen.has(count);
    this.#shapesSeen.add(count);
    const lr = plan.lr(this.#step) * controls.lrFactor;
    const norms = this.#step % this.#normsEvery === 0;
    const { sides, input } = await group.step({ step: this.#step, lr, norms, compiles });
    this.#input.fillMs += input.fillMs;
    this.#input.waitMs += input.waitMs;
    const spoiled = sides.find(({ trouble }) => trouble !== undefined);
    if (spoiled) {
      const { title } = this.#books.find(({ side }) => side === spoiled.side)!;
      this.#end = { status: 'diverged', reason: `${title} diverged: ${spoiled.trouble} at step ${this.#step + 1}` };
      return;
    }
    const records = sides.flatMap((side) => this.#enter(side, { count, lr, compiles }));
    this.#step++;
    this.#clock.addStep(
      sides.reduce((sum, { stepMs }) => sum + stepMs / 1000, 0),
      compiles,
    );
    teller.record(records);
    teller.onEvent({ type: 'step', ...this.#progress(), imagesPerSec: this.#imagesPerSec() });
  }

  /** Books a side's step and returns what is recorded of it. */
  #enter(done: GroupStep, { count, lr, compiles }: { count: number; lr: number; compiles: boolean }): MetricRecord[] {
    const { plan, group } = this.#options;
    const { side, stepMs, norms, times } = done;
    const book = this.#books.find((candidate) => candidate.side === side)!;
    const at = stamp(plan.position(this.#step + 1));
    this.#rankTimes.add(side, times);
    book.addStep(done, count);
    if (!compiles) book.addTime(stepMs / 1000, count);
    return [
      ...stepRecords(at, { side, outcome: done, examples: count, lr, stepMs }),
      ...(norms ? layerRecords(at, side, norms) : []),
      ...(norms && group.ranks > 1 ? rankRecords(at, side, this.#rankTimes.take(side)) : []),
    ];
  }

  /** What is due after a step: the end of an epoch, a comparison of ranks, a save. */
  async #betweenSteps(): Promise<void> {
    const { plan, clock, commitEverySeconds } = this.#options;
    if (plan.isEpochEnd(this.#step) || this.#end) return await this.#endEpoch();
    if (this.#step % VERIFY_EVERY === 0) await this.#verify();
    if (clock.now() - this.#committedAt >= 1000 * commitEverySeconds && !this.#saver.busy) await this.#commit();
  }

  #progress() {
    const sides: Partial<Record<Side, SideBook['progress']>> = Object.fromEntries(this.#books.map((b) => [b.side, b.progress]));
    return { position: this.#position, sides, etaSeconds: this.#clock.eta(this.#options.plan, this.#step) };
  }

  /** Validates, records, saves; ends the run where a target is reached. Does nothing once a stop is asked for. */
  async #endEpoch(): Promise<void> {
    const { teller, config, plan, controls } = this.#options;
    const position = this.#position;
    this.#clock.enter('validation');
    teller.onEvent({ type: 'phase', phase: 'validation', position });
    const scores: EpochScores[] = [];
    for (const { side } of this.#books) scores.push(await this.#score(side));
    this.#clock.enter('training');
    if (controls.stopAsked) return;
    await this.#verify();
    const improved = this.#books.map((book, i) => book.endEpoch(position.epoch, scores[i]!));
    const at = stamp(position);
    const records = this.#books.flatMap((book, i) => epochRecords(at, book, scores[i]!));
    teller.record([...records, ...gapRecords(at, this.#books)]);
    teller.onEvent({ type: 'epoch', ...this.#progress(), seconds: this.#clock.elapsed, imagesPerSec: this.#imagesPerSec() });
    for (const book of this.#books) book.startEpoch();
    this.#lookAtScores(scores);
    if (this.#end?.status === 'diverged') return;
    // The pair's best is where its first model is: the residual net, unless the plain one trains alone.
    const best = improved[0]!;
    const due = position.epoch % config.checkpointEvery === 0 || this.#step === plan.steps || this.#end !== undefined;
    if (due || best) await this.#save(best);
  }

  #lookAtScores(scores: readonly EpochScores[]): void {
    const { targetAcc } = this.#options.config;
    this.#books.forEach(({ title }, i) => {
      const { validation, test } = scores[i]!;
      const loss = [validation?.loss, test?.loss].find((value) => value !== undefined && !Number.isFinite(value));
      if (loss !== undefined)
        this.#end = { status: 'diverged', reason: `${title} diverged: its loss is ${loss} after step ${this.#step}` };
    });
    if (!this.#end && targetAcc !== null && this.#books.every((b) => (b.state.valAccuracy ?? 0) >= targetAcc))
      this.#end = { status: 'finished', reason: `every model reached ${targetAcc}% validation accuracy` };
  }

  #lookAtTime(): void {
    const { config, plan } = this.#options;
    if (config.maxTime !== null && this.#clock.elapsed >= config.maxTime && this.#step < plan.steps)
      this.#end = { status: 'finished', reason: `the ${config.maxTime} s of --max-time are over` };
  }

  async #score(side: Side): Promise<EpochScores> {
    const { group, config, controls, images } = this.#options;
    const options = { group, side, batchSize: config.batchSize, stopped: () => controls.stopAsked };
    return {
      validation: await score({ ...options, set: 'validation', images: images.validation }),
      test: await score({ ...options, set: 'test', images: images.test }),
    };
  }

  #imagesPerSec(): number {
    return (this.#options.plan.batchSize * this.#books.length) / this.#clock.stepSeconds;
  }

  /** Stops the run where ranks do not hold the same weights. Uses the memory that saves are written from. */
  async #verify(): Promise<void> {
    const { group } = this.#options;
    if (group.ranks === 1 || this.#verifiedStep === this.#step) return;
    await this.#saver.settled();
    await group.verify(this.#step);
    this.#verifiedStep = this.#step;
  }

  /** Copies the weights now, writes them while training goes on; one save at a time. */
  async #save(best: boolean): Promise<void> {
    const position = this.#position;
    this.#clock.enter('checkpoint');
    this.#options.teller.onEvent({ type: 'phase', phase: 'checkpoint', position });
    await this.#saver.settled();
    this.#saver.checkpoint(await this.#copy(), position, best);
    this.#savedStep = this.#step;
    this.#committedAt = this.#options.clock.now();
    this.#enterTraining();
  }

  async #commit(): Promise<void> {
    this.#clock.enter('checkpoint');
    await this.#saver.settled();
    this.#saver.commit(await this.#copy(), this.#position);
    this.#committedAt = this.#options.clock.now();
    this.#clock.enter('training');
  }

  /** What ranks do not agree on is never saved: training would go on from it. */
  async #copy(): Promise<Checkpoint> {
    await this.#verify();
    return { state: this.#state(), models: await this.#options.group.snapshot() };
  }

  #state(): TrainingState {
    const { plan, dataHash, controls, group } = this.#options;
    const { epoch } = plan.batch(this.#step);
    return {
      version: 1,
      step: this.#step,
      epoch,
      stepInEpoch: this.#step % plan.stepsPerEpoch,
      seconds: this.#clock.elapsed,
      dataHash,
      lrFactor: controls.lrFactor,
      ranks: group.ranks,
      models: Object.fromEntries(this.#books.map((b) => [b.side, b.state])),
    };
  }

  async #interrupted(): Promise<TrainResult> {
    if (Math.max(0, this.#savedStep) !== this.#step) await this.#save(false);
    return await this.#result('interrupted');
  }

  async #result(status: TrainResult['status'], reason?: string): Promise<TrainResult> {
    this.#clock.enter('checkpoint');
    await this.#saver.settled();
    this.#options.controls.end(this.#step);
    return { status, state: this.#state(), seconds: this.#clock.seconds, input: this.#input, ...(reason && { reason }) };
  }
}
