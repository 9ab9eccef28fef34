// Threads that load the library, compile and run steps: however they end, the process lives on and ends well.
// Runs the built package: vitest does not transform what a worker thread loads.
import { expect, test } from 'vitest';
import { noLibrary } from '../support/library.js';
import { startAndStopThreads } from './threads.js';

const ENDINGS = ['natural', 'unclosed', 'terminate', 'exit', 'throw'];

test.skipIf(noLibrary)(
  'threads end by themselves, terminated, by process.exit and by an error, and the process returns 0',
  async () => {
    const ended = await startAndStopThreads(5, ...ENDINGS);
    expect(ended).toMatchObject({ code: 0, signal: null, output: '5 threads ended\n' });
  },
);

test.skipIf(noLibrary)(
  'the same where the main thread loaded the library first, and the process exits while a thread runs',
  async () => {
    const ended = await startAndStopThreads(5, 'main-first', ...ENDINGS, 'process-exit');
    expect(ended).toMatchObject({ code: 0, signal: null, output: '5 threads ended\n' });
  },
);
