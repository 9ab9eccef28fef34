// A hundred starts and stops of threads in one process for each way to end, and as many exits under load.
import { expect, test } from 'vitest';
import { startAndStopThreads } from '../conformance/threads.js';
import { noLibrary } from '../support/library.js';

test.skipIf(noLibrary).each(['natural', 'unclosed', 'terminate', 'exit', 'throw'])(
  '100 threads with the ending "%s"',
  async (ending) => {
    const ended = await startAndStopThreads(100, ending);
    expect(ended).toMatchObject({ code: 0, signal: null, output: expect.stringContaining('100 threads ended') });
  },
);

test.skipIf(noLibrary)('100 processes that exit while a thread runs', async () => {
  for (let i = 0; i < 100; i++) expect(await startAndStopThreads(0, 'process-exit')).toMatchObject({ code: 0, signal: null });
});
