// Keeps training going: starts a coordinator, and where it fails another from the newest commit, up to a limit.
import type { Control, ControlReply, FinishedRun, Start, ToSupervisor } from '@trainer/protocol';
import { EXIT, type ExitCode, TrainerError } from '../errors.js';
import type { Clock } from '../time.js';
import { Attempt, type Outcome } from './attempt.js';
import type { Launch, Listener, RunStore } from './contract.js';
import { ControlLog } from './control-log.js';

export interface SupervisorOptions {
  readonly start: Pick<Start, 'config' | 'origins' | 'run' | 'commandLine'>;
  readonly launch: Launch;
  readonly store: RunStore;
  readonly listener: Listener;
  readonly clock: Clock;
  readonly maxRestarts: number;
  /** The command that goes on with a run, for people. */
  readonly resumeCommand?: (path: string) => string;
}

type Failure = Extract<Outcome, { type: 'failed' }>;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #controls = new ControlLog();
  readonly #failures: string[] = [];
  #attempt: Attempt | undefined;
  #stopping = false;
  /** Of the run that is open: completed steps so far, those that a coordinator could begin anew from, and where they lie. */
  #step = 0;
  #saved = 0;
  #newest: string | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /**
   * Resolves once the control took effect, in this coordinator or one after it, or nothing can take effect any more. The same id
   * twice is one control.
   */
  control(control: Control): Promise<ControlReply> {
    if (control.action === 'stop') this.#stopping = true;
    const effect = this.#controls.add(control);
    this.#attempt?.control(control);
    return effect;
  }

  /**
   * Trains until all is done, or a stop took effect; the runs that ended, in order.
   * @throws TrainerError: what the user can mend; or, with exit code 75, that all restarts were used up, or that it failed to stop
   */
  async run(): Promise<readonly FinishedRun[]> {
    const { store } = this.#options;
    try {
      while (true) {
        const outcome = await this.#try();
        if (outcome.type === 'done' || this.#isDone) return store.finished;
        if (outcome.exitCode !== null) throw this.#forTheUser(outcome.message, outcome.exitCode as ExitCode);
        if (this.#stopping)
          throw new TrainerError(`training failed while it was to stop: ${outcome.message}; ${this.#next}`, EXIT.tryAgain);
        this.#countFailure(outcome);
        if (this.#newest === undefined) await store.discard();
      }
    } finally {
      this.#controls.end(this.#step);
      await store.fail();
    }
  }

  /** Nothing is left to train, whatever the coordinator failed of when it had finished. */
  get #isDone(): boolean {
    const { start, store } = this.#options;
    const last = store.finished.at(-1);
    return last !== undefined && (last.status !== 'finished' || store.finished.length >= start.run.seeds);
  }

  /** One coordinator, from its start to its end. */
  async #try(): Promise<Outcome> {
    const { launch, clock, store } = this.#options;
    const attempt = new Attempt({
      coordinator: launch(),
      clock,
      start: this.#startMessage(),
      onMessage: (message) => this.#hear(message),
      answer: async (request) => {
        const reply = await store.answer(request);
        if (request.what === 'create') this.#beginRun();
        if (request.what === 'finish') {
          this.#controls.forgetEffects();
          this.#newest = undefined;
        }
        if (request.what === 'reopen') this.#goOn(request.path, request.step);
        return reply;
      },
      onControl: (id, reply) => this.#controls.tookEffect(id, reply),
    });
    this.#attempt = attempt;
    const outcome = attempt.outcome();
    // After the start that it sends: before that, nobody there listens for them.
    for (const control of this.#controls.waiting) attempt.control(control);
    try {
      return await outcome;
    } finally {
      this.#attempt = undefined;
    }
  }

  #startMessage(): Start {
    const { start, store } = this.#options;
    const { path, finished } = store;
    const last = finished.at(-1);
    // Seeds after the first are trained as the first was, not sized to the machine anew.
    const config = last ? { ...last.config, seed: last.config.seed - finished.length + 1 } : start.config;
    return {
      ...start,
      config,
      run: { ...start.run, resume: last || path !== undefined ? null : start.run.resume },
      firstSeed: finished.length,
      restart: path === undefined ? null : { path },
      replay: this.#controls.effects,
    };
  }

  #beginRun(): void {
    this.#step = 0;
    this.#saved = 0;
    this.#newest = undefined;
  }

  /** A run is gone on with, from where it was saved. */
  #goOn(path: string, step: number): void {
    this.#step = step;
    this.#saved = step;
    this.#newest ??= path;
  }

  #hear(message: ToSupervisor): void {
    const { listener, store } = this.#options;
    switch (message.type) {
      case 'notice':
        return listener.notice(message.line);
      case 'progress':
        return listener.onProgress(message.progress);
      case 'event':
        return this.#follow(message.event);
      case 'metrics':
        store.record(message.records);
        return listener.onMetrics(message.records);
      case 'rank-log':
        return store.rankLog(message.rank, message.line);
      case 'models':
        return listener.onModels(message.models);
      case 'print':
        return listener.print(message.text);
      case 'alive':
      case 'done':
      case 'failed':
      case 'request':
      case 'reply':
      case 'failure':
        return;
      default:
        message satisfies never;
    }
  }

  #follow(event: Parameters<Listener['onEvent']>[0]): void {
    // A save is told of when it is written, some steps after those it holds.
    if (event.type === 'commit' || event.type === 'checkpoint') {
      this.#saved = event.position.step;
      this.#newest = event.path;
    } else this.#step = event.position.step;
    this.#options.listener.onEvent(event);
  }

  /** @throws TrainerError (exit code 75) where no restart is left */
  #countFailure({ message, stack }: Failure): void {
    const { maxRestarts, listener, store } = this.#options;
    if (stack) store.note(stack);
    const isSaved = this.#newest !== undefined;
    const place = this.#step === 0 || store.path === undefined ? 'before the first step' : `after step ${this.#step}`;
    this.#failures.push(`${place}: ${message}`);
    const count = this.#failures.length;
    if (count > maxRestarts) throw this.#usedUp();
    const from = isSaved ? 'from the newest save' : 'from the beginning';
    listener.warn(`training failed ${place}: ${message}; it begins anew ${from} (restart ${count} of ${maxRestarts})`);
  }

  #usedUp(): TrainerError {
    const story = this.#failures.map((failure, i) => `${i + 1}. ${failure}`).join('; ');
    const times = this.#failures.length === 1 ? 'once' : `${this.#failures.length} times`;
    const left = `training failed ${times}, and no restart is left (--max-restarts): ${story}`;
    return new TrainerError(`${left}; ${this.#next}`, EXIT.tryAgain);
  }

  /** What the machine lacks can be mended, and the run gone on with. */
  #forTheUser(message: string, exitCode: ExitCode): TrainerError {
    const { path } = this.#options.store;
    const canGoOn = exitCode === EXIT.environment && path !== undefined && this.#newest !== undefined;
    return new TrainerError(
      canGoOn ? `${message}; the newest save is of step ${this.#saved}: ${this.#goOnWith(path)}` : message,
      exitCode,
    );
  }

  /** What is left of the run, and how to go on. */
  get #next(): string {
    const { path } = this.#options.store;
    if (path === undefined || this.#newest === undefined) {
      const { length } = this.#options.store.finished;
      const done =
        length === 0 ? 'nothing was trained' : `${length} ${length === 1 ? 'seed is' : 'seeds are'} done, this one was not begun`;
      return `${done}: once the cause is mended, start again`;
    }
    return `all up to step ${this.#saved} is saved in ${this.#newest}: ${this.#goOnWith(path)}`;
  }

  #goOnWith(path: string): string {
    const { resumeCommand = (run) => `trainer start --resume ${run}` } = this.#options;
    return `once the cause is mended, ${resumeCommand(path)}`;
  }
}
