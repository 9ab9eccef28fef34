import type { TrainingEvent } from '@trainer/protocol';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../time.js';
import type { Output } from './io.js';
import { createReporter, type ReporterOptions } from './terminal.js';
import { testIo } from './test-io.js';

/** A clock that tests move; what is due is called back on the way. */
class TestClock implements Clock {
  #now = 0;
  #due: { at: number; callback: () => void }[] = [];

  readonly now = (): number => this.#now;

  readonly later = (callback: () => void, ms: number): (() => void) => {
    const entry = { at: this.#now + ms, callback };
    this.#due.push(entry);
    return () => {
      this.#due = this.#due.filter((other) => other !== entry);
    };
  };

  pass(ms: number): void {
    this.#now += ms;
    const due = this.#due.filter(({ at }) => at <= this.#now);
    this.#due = this.#due.filter(({ at }) => at > this.#now);
    for (const { callback } of due) callback();
  }
}

const STEPS = 400;

function step(number: number): Extract<TrainingEvent, { type: 'step' }> {
  const epoch = Math.max(1, Math.ceil(number / STEPS));
  return {
    type: 'step',
    position: {
      epoch,
      epochs: 50,
      step: number,
      steps: 50 * STEPS,
      stepInEpoch: number - (epoch - 1) * STEPS,
      stepsPerEpoch: STEPS,
    },
    sides: { resnet: { loss: 1, accuracy: 60 }, plain: { loss: 2, accuracy: 50 } },
    imagesPerSec: 1000,
    etaSeconds: 60,
  };
}

const epochEnd = (number: number): TrainingEvent => ({ ...step(number), type: 'epoch', seconds: 1 });
const ready = (number = 0): TrainingEvent => ({
  type: 'ready',
  position: step(number).position,
  sides: ['resnet', 'plain'],
  ranks: 1,
});
const phase = (phase: 'training' | 'validation' | 'checkpoint', number: number): TrainingEvent => ({
  type: 'phase',
  phase,
  position: step(number).position,
});

function setUp(options: { stderr?: Partial<Output>; env?: NodeJS.ProcessEnv } & Partial<ReporterOptions> = {}) {
  const { stderr = { isTTY: true, columns: 200 }, env = {}, ...reporterOptions } = options;
  const io = testIo({ env, stderr });
  const clock = new TestClock();
  const reporter = createReporter(
    io,
    { quiet: false, verbose: false, progress: true, color: 'never', ...reporterOptions },
    clock,
  );
  return { io, clock, reporter, text: () => io.err.join('') };
}

const pipe = { isTTY: false };

describe('on a terminal', () => {
  test('ten lines a second are drawn at most, however fast the steps come', () => {
    const { io, clock, reporter } = setUp();
    reporter.onEvent(ready());
    for (let i = 1; i <= 100_000; i++) {
      reporter.onEvent(step(1 + (i % STEPS)));
      clock.pass(0.1);
    }
    // 10 seconds.
    expect(io.err.length).toBeGreaterThan(50);
    expect(io.err.length).toBeLessThanOrEqual(101);
  });

  test('a line is redrawn in place and taken away at the end', () => {
    const { clock, reporter, text, io } = setUp();
    reporter.onEvent(ready());
    reporter.onEvent(step(1));
    clock.pass(200);
    reporter.onEvent(step(2));
    reporter.close();
    expect(text()).toMatch(/^\r\x1b\[2Kepoch 1\/50 .* 1\/400 .*\r\x1b\[2Kepoch 1\/50 .* 2\/400 .*\r\x1b\[2K$/);
    reporter.close();
    reporter.onEvent(step(3));
    expect(io.err).toHaveLength(3);
  });

  test('each epoch leaves its line standing', () => {
    const { clock, reporter, text } = setUp();
    reporter.onEvent(ready());
    clock.pass(50_000);
    reporter.onEvent(step(STEPS));
    clock.pass(1_000);
    reporter.onEvent(epochEnd(STEPS));
    expect(text()).toMatch(/\r\x1b\[2Kepoch 1\/50 0:51 1000 img\/s .*gap \+10\.0 · run ETA 1:00\n$/);
  });

  test('saving between two epochs does not slow the next one down', () => {
    const { clock, reporter, io } = setUp();
    reporter.onEvent(ready());
    reporter.onEvent(step(STEPS));
    reporter.onEvent(epochEnd(STEPS));
    reporter.onEvent(phase('checkpoint', STEPS));
    clock.pass(30_000);
    reporter.onEvent(phase('training', STEPS));
    clock.pass(1_000);
    reporter.onEvent(step(STEPS + 1));
    expect(io.err.at(-1)).toContain(' 1/400 0:01<6:39 ');
  });

  test('a notice moves the progress line down', () => {
    const { reporter, io } = setUp();
    reporter.onEvent(ready());
    reporter.onEvent(step(1));
    const [drawn] = io.err;
    reporter.notice('hello');
    expect(io.err.slice(1).join('')).toBe(`\r\x1b[2Khello\n${drawn!.slice(5)}`);
  });

  test('validation is shown although no step comes', () => {
    const { clock, reporter, io } = setUp();
    reporter.onEvent(ready());
    reporter.onEvent(step(STEPS));
    clock.pass(10);
    reporter.onEvent(phase('validation', STEPS));
    expect(io.err).toHaveLength(1);
    clock.pass(100);
    expect(io.err.at(-1)).toContain(' 400/400 validating ');
  });

  test('the window may change its width', () => {
    const stderr = { isTTY: true, columns: 200 };
    const { clock, reporter, io } = setUp({ stderr });
    reporter.onEvent(ready());
    reporter.onEvent(step(1));
    expect(io.err.at(-1)).toContain('img/s');
    stderr.columns = 60;
    clock.pass(100);
    reporter.onEvent(step(2));
    expect(io.err.at(-1)).not.toContain('img/s');
    expect(io.err.at(-1)!.length - 5).toBeLessThan(60);
  });

  test('COLUMNS is honoured', () => {
    const { reporter, io } = setUp({ env: { COLUMNS: '50' } });
    reporter.onEvent(step(1));
    expect(io.err.at(-1)!.length - 5).toBeLessThan(50);
  });

  test('a run that goes on within an epoch tells its pace from where it went on', () => {
    const { clock, reporter, io } = setUp();
    reporter.onEvent(ready(200));
    clock.pass(10_000);
    reporter.onEvent(step(300));
    expect(io.err.at(-1)).toContain(' 300/400 0:10<0:10 ');
  });
});

describe('elsewhere', () => {
  test.each([
    ['a pipe', { stderr: pipe }],
    ['CI', { env: { CI: 'true' } }],
    ['a dumb terminal', { env: { TERM: 'dumb' } }],
    ['--no-progress', { progress: false }],
  ])('%s gets plain lines: one an epoch', (_, options) => {
    const { clock, reporter, text } = setUp(options);
    reporter.onEvent(ready());
    for (let i = 1; i <= STEPS; i++) {
      clock.pass(10);
      reporter.onEvent(step(i));
    }
    reporter.onEvent(phase('validation', STEPS));
    reporter.onEvent(epochEnd(STEPS));
    reporter.close();
    expect(text()).toMatch(/^epoch 1\/50 0:04 1000 img\/s .*\n$/);
  });

  test('an epoch that takes long shows every 30 seconds', () => {
    const { clock, reporter, io } = setUp({ stderr: pipe });
    reporter.onEvent(ready());
    for (let i = 1; i <= 100; i++) {
      clock.pass(1000);
      reporter.onEvent(step(i));
    }
    expect(io.err.map((line) => /\d+\/400/.exec(line)![0])).toEqual(['30/400', '60/400', '90/400']);
  });
});

test('--quiet shows nothing but warnings', () => {
  const { clock, reporter, text } = setUp({ quiet: true });
  reporter.onEvent(ready());
  reporter.onEvent(step(1));
  clock.pass(60_000);
  reporter.onEvent(phase('validation', STEPS));
  reporter.onEvent(epochEnd(STEPS));
  reporter.notice('good to know');
  reporter.progress({ what: 'downloading', done: 1, total: 2, unit: 'bytes' });
  reporter.warn('look here');
  reporter.close();
  expect(text()).toBe('warning: look here\n');
});

test('every line that stays is told to the log, plain and whole, with --quiet too', () => {
  const lines: string[] = [];
  const { reporter } = setUp({ quiet: true, color: 'always', stderr: { isTTY: true, columns: 20 } });
  const end = reporter.onLine((line) => lines.push(line));
  reporter.onEvent(ready());
  reporter.onEvent(step(1));
  reporter.notice('good to know');
  reporter.warn('look here');
  reporter.onEvent(epochEnd(STEPS));
  end();
  reporter.notice('not this');
  expect(lines).toEqual([
    'good to know',
    'warning: look here',
    'epoch 1/50 0:00 1000 img/s · resnet 1.000 60.0% · plain 2.000 50.0% · gap +10.0 · run ETA 1:00',
  ]);
});

test('checkpoints are told with -v only', () => {
  const checkpoint: TrainingEvent = { type: 'checkpoint', position: step(1).position, path: 'runs/a/checkpoints/1', best: true };
  const [quietly, verbosely] = [setUp(), setUp({ verbose: true })];
  for (const { reporter } of [quietly, verbosely]) reporter.onEvent(checkpoint);
  expect(quietly.text()).toBe('');
  expect(verbosely.text()).toBe('checkpoint runs/a/checkpoints/1 (best)\n');
});

describe('slow work', () => {
  test('is drawn as a bar and taken away when done', () => {
    const { clock, reporter, io } = setUp();
    reporter.progress({ what: 'downloading cifar10', done: 85.25e6, total: 170.5e6, unit: 'bytes' });
    expect(io.err.at(-1)).toBe('\r\x1b[2Kdownloading cifar10 ━━━━━━────── 85.3/170.5 MB');
    clock.pass(100);
    reporter.progress({ what: 'downloading cifar10', done: 170.5e6, total: 170.5e6, unit: 'bytes' });
    expect(io.err.at(-1)).toBe('\r\x1b[2K');
  });

  test('of unknown size is counted', () => {
    const { reporter, io } = setUp();
    reporter.progress({ what: 'decoding', done: 12_345, unit: 'images' });
    expect(io.err.at(-1)).toBe('\r\x1b[2Kdecoding 12,345 images');
  });

  test('is one plain line each in a log', () => {
    const { clock, reporter, text } = setUp({ stderr: pipe });
    for (let done = 0; done <= 100; done++) {
      reporter.progress({ what: 'decoding', done, total: 100, unit: 'images' });
      clock.pass(100);
    }
    expect(text()).toBe('decoding ──────────── 0/100 images\n');
    // An archive is read to its end before its last images are decoded.
    for (let i = 0; i < 5; i++) reporter.progress({ what: 'decoding', done: 100, total: 100, unit: 'images' });
    expect(text()).toBe('decoding ──────────── 0/100 images\n');
  });
});
