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
}

type Failure = Extract<Outcome, { type: 'failed' }>;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #controls = new ControlLog();
  readonly #failures: string[] = [];
  #attempt: Attempt | undefined;
  #stopping = false;
  /** Of the run that is open: completed steps so far, and those that a coordinator could begin anew from. */
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
   * @throws TrainerError: what the user can mend; or, with exit code 75, that all restarts were used up
   */
  async run(): Promise<readonly FinishedRun[]> {
    const { store } = this.#options;
    try {
      while (true) {
        const outcome = await this.#try();
        if (outcome.type === 'done') return store.finished;
        if (outcome.exitCode !== null) throw new TrainerError(outcome.message, outcome.exitCode as ExitCode);
        if (this.#stopping) {
          this.#tellLost(outcome);
          return store.finished;
        }
        this.#countFailure(outcome);
      }
    } finally {
      this.#controls.end(this.#step);
      await store.fail();
    }
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
        if (request.what === 'finish') this.#beginRun();
        return reply;
      },
      onControl: (id, reply) => this.#controls.tookEffect(id, reply),
    });
    this.#attempt = attempt;
    for (const control of this.#controls.waiting) attempt.control(control);
    try {
      return await attempt.outcome();
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
      replay: path === undefined ? [] : this.#controls.replayFrom(this.#saved),
    };
  }

  #beginRun(): void {
    this.#controls.forgetEffects();
    this.#step = 0;
    this.#saved = 0;
    this.#newest = undefined;
  }

  #hear(message: ToSupervisor): void {
    const { listener, store } = this.#options;
    switch (message.type) {
      case 'notice':
        return listener.notice(message.line);
      case 'warn':
        return listener.warn(message.line);
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
    }
  }

  #follow(event: Parameters<Listener['onEvent']>[0]): void {
    this.#step = event.position.step;
    if (event.type === 'commit' || event.type === 'checkpoint') {
      this.#saved = event.position.step;
      this.#newest = event.path;
    }
    this.#options.listener.onEvent(event);
  }

  /** @throws TrainerError (exit code 75) where no restart is left */
  #countFailure({ message }: Failure): void {
    const { maxRestarts, listener, store } = this.#options;
    const place = store.path === undefined ? 'before the first step' : `after step ${this.#step}`;
    this.#failures.push(`${place}: ${message}`);
    const count = this.#failures.length;
    if (count > maxRestarts) throw this.#usedUp();
    const from = store.path === undefined ? 'from the beginning' : `from step ${this.#saved}`;
    listener.warn(`training failed ${place}: ${message}; beginning anew ${from} (restart ${count} of ${maxRestarts})`);
  }

  #usedUp(): TrainerError {
    const { path } = this.#options.store;
    const story = this.#failures.map((failure, i) => `${i + 1}. ${failure}`).join('; ');
    const times = this.#failures.length === 1 ? 'once' : `${this.#failures.length} times`;
    const next =
      path === undefined
        ? 'nothing was trained'
        : `all up to step ${this.#saved} is saved in ${this.#newest ?? path}: once the cause is mended, trainer start --resume ${path}`;
    return new TrainerError(`training failed ${times}, and no restart is left: ${story}; ${next}`, EXIT.tryAgain);
  }

  #tellLost({ message }: Failure): void {
    this.#options.listener.warn(`training failed while it was to stop: ${message}; all up to step ${this.#saved} is saved`);
  }
}
