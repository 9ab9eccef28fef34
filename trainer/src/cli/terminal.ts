// Tells a person how training goes, on stderr: one line that is redrawn on a terminal, plain lines elsewhere.

import type { OnEvent, TrainingEvent } from '@trainer/protocol';
import type { OnProgress } from '../data/contract.js';
import type { OutputOptions } from '../settings/contract.js';
import { type Clock, systemClock } from '../time.js';
import type { Io } from './io.js';
import { assemble, bar, type EpochState, epochLine, type ProgressState, progressLine } from './progress.js';
import { createStyle, isInteractive, PLAIN_STYLE, type Style, widthOf } from './style.js';
import { grouped } from './text.js';

export interface Reporter {
  /** Costs a comparison for nearly every step: at most ten lines a second are made, however many steps there are. */
  readonly onEvent: OnEvent;
  /** Downloads, decoding: drawn like training. */
  readonly progress: OnProgress;
  /** A line for the user that may be missed (not with --quiet). */
  notice(line: string): void;
  /** A line that must not be missed. */
  warn(line: string): void;
  /** Tells a listener, such as a run's log, every line that stays, without colours, with --quiet too. Returns how to end that. */
  onLine(listener: (line: string) => void): () => void;
  /** Takes the progress line away. Idempotent; events after it are ignored. */
  close(): void;
}

const REDRAW_MS = 100;
const PLAIN_MS = 30_000;
const CLEAR_LINE = '\r\x1b[2K';

export type ReporterOptions = Pick<OutputOptions, 'quiet' | 'verbose' | 'progress' | 'color'>;

export const createReporter = (io: Io, options: ReporterOptions, clock: Clock = systemClock): Reporter =>
  new TerminalReporter(io, options, clock);

type StepEvent = Extract<TrainingEvent, { type: 'step' }>;
type Work = Parameters<OnProgress>[0];

class TerminalReporter implements Reporter {
  readonly #io: Io;
  readonly #options: ReporterOptions;
  readonly #clock: Clock;
  readonly #style: Style;
  /** One line redrawn, plain lines now and then, or none. */
  readonly #mode: 'live' | 'plain' | 'none';
  #step: StepEvent | undefined;
  #work: Work | undefined;
  #finishedWork: string | undefined;
  #phase: ProgressState['phase'] = 'training';
  #epochStart: number;
  #skippedSteps = 0;
  /** Nothing is drawn before. */
  #next: number;
  /** What stands on the terminal's last line. */
  #drawn = '';
  #cancelDraw: (() => void) | undefined;
  #closed = false;
  readonly #listeners = new Set<(line: string) => void>();

  constructor(io: Io, options: ReporterOptions, clock: Clock) {
    this.#io = io;
    this.#options = options;
    this.#clock = clock;
    this.#style = createStyle(io.stderr, io.env, options.color);
    this.#mode = options.quiet ? 'none' : options.progress && isInteractive(io.stderr, io.env) ? 'live' : 'plain';
    this.#epochStart = clock.now();
    this.#next = this.#mode === 'live' ? 0 : clock.now() + PLAIN_MS;
  }

  readonly onEvent = (event: TrainingEvent): void => {
    if (this.#closed) return;
    switch (event.type) {
      case 'ready':
        this.#step = undefined;
        this.#work = undefined;
        this.#startEpoch(event.position.stepInEpoch % event.position.stepsPerEpoch);
        break;
      case 'step':
        this.#step = event;
        if (this.#mode !== 'none' && this.#clock.now() >= this.#next) this.#draw();
        break;
      case 'phase':
        this.#phase = event.phase;
        // What was saved between two epochs belongs to neither's pace.
        if (event.phase === 'training' && this.#step === undefined) this.#epochStart = this.#clock.now();
        if (this.#mode === 'live' && event.phase !== 'training') this.#drawSoon();
        break;
      case 'epoch':
        this.#endEpoch({ ...event, epochSeconds: this.#epochSeconds });
        break;
      case 'checkpoint':
        if (this.#options.verbose) this.notice(`checkpoint ${event.path}${event.best ? ' (best)' : ''}`);
        break;
      case 'commit':
        break;
    }
  };

  readonly progress = (work: Work): void => {
    if (this.#mode === 'none' || this.#closed) return;
    const isDone = work.done === work.total;
    // What is read to its end may still be worked on, and go on telling so.
    if (isDone && work.what === this.#finishedWork) return;
    const isNew = work.what !== this.#work?.what;
    this.#work = work;
    this.#finishedWork = isDone ? work.what : undefined;
    // A log shows that something began, and then that it goes on.
    if ((isNew && this.#mode === 'plain') || this.#clock.now() >= this.#next) this.#draw();
    if (isDone) this.#endWork();
  };

  notice(line: string): void {
    this.#tell(line);
    if (!this.#options.quiet) this.#stand(line);
  }

  warn(line: string): void {
    this.#tell(`warning: ${line}`);
    this.#stand(`${this.#style.paint.yellow('warning:')} ${line}`);
  }

  onLine(listener: (line: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#cancelDraw?.();
    this.#clear();
    this.#closed = true;
  }

  #tell(line: string): void {
    for (const listener of this.#listeners) listener(line);
  }

  #startEpoch(skippedSteps: number): void {
    this.#epochStart = this.#clock.now();
    this.#skippedSteps = skippedSteps;
    this.#phase = 'training';
  }

  get #epochSeconds(): number {
    return (this.#clock.now() - this.#epochStart) / 1000;
  }

  #endEpoch(state: EpochState): void {
    this.#clear();
    this.#tell(epochLine(state, PLAIN_STYLE, Number.POSITIVE_INFINITY));
    if (this.#mode !== 'none') this.#stand(epochLine(state, this.#style, this.#width));
    this.#step = undefined;
    this.#startEpoch(0);
  }

  #endWork(): void {
    this.#work = undefined;
    this.#clear();
  }

  /** A line that stays; the progress line is drawn again below it. */
  #stand(line: string): void {
    const drawn = this.#drawn;
    this.#clear();
    this.#io.stderr.write(`${line}\n${drawn}`);
    this.#drawn = drawn;
    if (this.#mode === 'plain') this.#next = this.#clock.now() + PLAIN_MS;
  }

  /** A phase may last for seconds without another event, so its line is not left out but put off. */
  #drawSoon(): void {
    const wait = this.#next - this.#clock.now();
    if (wait <= 0) return this.#draw();
    this.#cancelDraw ??= this.#clock.later(() => this.#draw(), wait);
  }

  #draw(): void {
    this.#cancelDraw?.();
    this.#cancelDraw = undefined;
    const line = this.#line();
    if (line === undefined || this.#closed) return;
    const now = this.#clock.now();
    if (this.#mode === 'plain') {
      this.#io.stderr.write(`${line}\n`);
      this.#next = now + PLAIN_MS;
      return;
    }
    this.#next = now + REDRAW_MS;
    if (line === this.#drawn) return;
    this.#io.stderr.write(CLEAR_LINE + line);
    this.#drawn = line;
  }

  #line(): string | undefined {
    if (this.#step) {
      const state = { ...this.#step, epochSeconds: this.#epochSeconds, skippedSteps: this.#skippedSteps, phase: this.#phase };
      return progressLine(state, this.#style, this.#width);
    }
    return this.#work && workLine(this.#work, this.#style, this.#width);
  }

  /** Read at each line, so a resized window is filled anew. The last column stays free: some terminals wrap there. */
  get #width(): number {
    return this.#mode === 'live' ? widthOf(this.#io.stderr, this.#io.env) - 1 : Number.POSITIVE_INFINITY;
  }

  #clear(): void {
    if (this.#drawn !== '') this.#io.stderr.write(CLEAR_LINE);
    this.#drawn = '';
  }
}

/** `downloading cifar10 ━━━━──────── 58.1/170.5 MB`. */
function workLine({ what, done, total, unit }: Work, style: Style, width: number): string {
  const amount = (n: number): string => (unit === 'bytes' ? (n / 1e6).toFixed(1) : grouped(n));
  const of = total === undefined ? '' : `/${amount(total)}`;
  return assemble(
    [
      { keep: Number.POSITIVE_INFINITY, text: what },
      ...(total === undefined ? [] : [bar(done / total, style)]),
      { keep: 8, text: `${amount(done)}${of} ${unit === 'bytes' ? 'MB' : unit}` },
    ],
    style,
    width,
  );
}
