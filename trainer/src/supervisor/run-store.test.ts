import type { FileRequest, FinishedRun, RunSummary } from '@trainer/protocol';
import { expect, it } from 'vitest';
import type { RunFolder } from '../report/contract.js';
import { testConfig } from '../report/test-config.js';
import { FolderRunStore } from './run-store.js';

const config = testConfig();
const summary = { status: 'running', steps: 3 } as RunSummary;
const create = { what: 'create', name: 'run', config, metadata: {} } as unknown as FileRequest;
const reopen = (path: string, step: number): FileRequest => ({ what: 'reopen', path, config, step });
const finish = { what: 'finish', run: { path: 'out/run', summary: { ...summary, status: 'finished' } } as FinishedRun } as const;

/** A store on folders that write down what is asked of them. */
function testStore({ broken = false } = {}) {
  const done: string[] = [];
  const folder = (path: string): RunFolder => {
    const doing =
      (what: string) =>
      async (...args: unknown[]): Promise<void> => {
        done.push([what, ...args.map((arg) => JSON.stringify(arg))].join(' '));
        if (broken && what !== 'discard') throw new Error('the disk is gone');
      };
    return {
      path,
      name: path,
      log: (line) => void done.push(`log ${line}`),
      rankLog: (rank, line) => void done.push(`rank ${rank} ${line}`),
      record: (records) => void done.push(`record ${records.length}`),
      flush: doing('flush'),
      sync: doing('sync'),
      rewind: doing('rewind'),
      summarize: async ({ status }) => doing('summarize')(status),
      close: doing('close'),
      discard: doing('discard'),
    };
  };
  let tell = (_line: string): void => {};
  const store = new FolderRunStore({
    out: 'out',
    onLine: (listener) => {
      tell = listener;
      return () => {
        tell = () => {};
      };
    },
    folders: {
      createRun: async ({ out, name }) => folder(`${out}/${name}`),
      reopenRun: async ({ path, checkpoint }) => {
        done.push(`reopen ${path} ${checkpoint.state.step}`);
        return folder(path);
      },
    },
  });
  return { store, done, tell: (line: string) => tell(line) };
}

it('opens a run, writes what it is told, and closes it where the run ends', async () => {
  const { store, done, tell } = testStore();
  expect(await store.answer(create)).toEqual({ path: 'out/run' });
  expect(store.path).toBe('out/run');
  tell('a line for people');
  store.record([]);
  store.rankLog(1, 'a line of a rank');
  await store.answer({ what: 'summarize', summary });
  await store.answer({ what: 'sync' });
  await store.answer(finish);
  tell('not of this run any more');
  expect(done).toEqual([
    'log a line for people',
    'record 0',
    'rank 1 a line of a rank',
    'summarize "running"',
    'sync',
    'summarize "finished"',
    'close',
  ]);
  expect([store.path, store.finished]).toEqual([undefined, [finish.run]]);
  await store.fail();
  expect(done).toHaveLength(7);
});

it('goes back in a run that stays open, and opens one that is not', async () => {
  const { store, done } = testStore();
  await store.answer(reopen('elsewhere/run', 4));
  expect(await store.answer(reopen('elsewhere/run', 2))).toEqual({ path: 'elsewhere/run' });
  expect(done).toEqual(['reopen elsewhere/run 4', 'rewind 2']);
});

it('closes a run that failed as failed, whatever the disk says, and once', async () => {
  for (const broken of [false, true]) {
    const { store, done } = testStore({ broken });
    await store.answer(create);
    await store.answer({ what: 'summarize', summary }).catch(() => undefined);
    await store.fail();
    await store.fail();
    expect(done).toEqual(['summarize "running"', 'summarize "failed"', 'close']);
    expect(store.path).toBeUndefined();
  }
});

it('removes a run of which nothing was saved', async () => {
  const { store, done, tell } = testStore();
  await store.answer(create);
  await store.discard();
  tell('nobody writes this');
  expect([store.path, done]).toEqual([undefined, ['discard']]);
});
