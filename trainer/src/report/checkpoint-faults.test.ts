import { describe, expect, test, vi } from 'vitest';
import { newestCheckpoint } from './checkpoint-list.js';
import { CheckpointStore } from './checkpoint-store.js';
import type { Checkpoint } from './contract.js';
import { type Fault, FaultyFileSystem } from './faulty-file-system.js';
import type { FileSystem } from './file-system.js';
import { MemoryFileSystem } from './memory-file-system.js';
import { testCheckpoint } from './test-checkpoint.js';

// Hundreds of saves a test: a second on a quiet machine.
vi.setConfig({ testTimeout: 60_000 });

const FOLDER = '/run/checkpoints';
const NO_CALL = Number.POSITIVE_INFINITY;

const open = (fileSystem: FileSystem): Promise<CheckpointStore> => CheckpointStore.open({ fileSystem, folder: FOLDER, keep: 2 });

interface Trial {
  readonly before: readonly Checkpoint[];
  readonly next: Checkpoint;
  readonly fault: Fault;
  /** What happens between the fault and the look at what is left. */
  readonly then?: (disk: MemoryFileSystem) => void;
}

/**
 * Saves `next` on top of `before` once for each call that this takes, with the fault at that call. Each time what is found
 * must be whole, without anything passed over, and the next process must be able to save. Returns the checkpoints found.
 */
async function everyCall({ before, next, fault, then }: Trial): Promise<{ found: Checkpoint[]; trials: number }> {
  const found = new Map<string, Checkpoint>();
  for (let at = 0; ; at++) {
    const disk = new MemoryFileSystem();
    await disk.makeFolder('/run');
    await disk.syncFolder('/');
    const store = await open(disk);
    for (const checkpoint of before) await store.save(checkpoint, { best: checkpoint === before[0] });
    const faulty = new FaultyFileSystem(fault, at, disk);
    const outcome = await open(faulty)
      .then((opened) => opened.save(next, { best: true }))
      .catch((error: Error) => error);
    then?.(disk);
    const left = await newest(disk);
    found.set(`${left.state.step} ${left.state.models.resnet!.sums.loss}`, left);
    if (faulty.calls > at && fault === 'killed') expect(outcome).toBeInstanceOf(Error);
    await goOn(disk, next);
    if (faulty.calls <= at) {
      expect(left).toEqual(next);
      return { found: [...found.values()], trials: at };
    }
  }
}

async function newest(disk: FileSystem): Promise<Checkpoint> {
  const notices: string[] = [];
  const { checkpoint } = await newestCheckpoint(disk, FOLDER, (line) => notices.push(line));
  expect(notices).toEqual([]);
  return checkpoint;
}

/** As the next process does: it clears up, saves, and finds what it saved. */
async function goOn(disk: FileSystem, next: Checkpoint): Promise<void> {
  await (await open(disk)).save(next, { best: true });
  expect(await newest(disk)).toEqual(next);
  expect((await disk.list(FOLDER)).filter((name) => name.startsWith('.'))).toEqual([]);
}

const older = [testCheckpoint(10), testCheckpoint(20), testCheckpoint(30)];

describe.each(['killed', 'ENOSPC', 'EIO'] as const)('%s at every call', (fault) => {
  test('leaves the checkpoint before or the new one, whole', async () => {
    const { found, trials } = await everyCall({ before: older, next: testCheckpoint(40), fault });
    expect(trials).toBeGreaterThan(40);
    expect(found).toEqual([testCheckpoint(30), testCheckpoint(40)]);
  });

  test('leaves the old or the new one where a step is saved again', async () => {
    const { found } = await everyCall({ before: [testCheckpoint(30)], next: testCheckpoint(30, 2), fault });
    expect(found).toEqual([testCheckpoint(30), testCheckpoint(30, 2)]);
  });
});

describe.each(['old', 'new'] as const)('power lost at every call, with the %s names on the disk', (names) => {
  const then = (disk: MemoryFileSystem): void => disk.losePower(names);

  test('leaves the checkpoint before or the new one, whole', async () => {
    const { found } = await everyCall({ before: older, next: testCheckpoint(40), fault: 'killed', then });
    expect(found).toEqual([testCheckpoint(30), testCheckpoint(40)]);
  });

  test('leaves the old or the new one where a step is saved again', async () => {
    const { found } = await everyCall({ before: [testCheckpoint(30)], next: testCheckpoint(30, 2), fault: 'killed', then });
    expect(found).toEqual([testCheckpoint(30), testCheckpoint(30, 2)]);
  });
});

test('the disk of these tests forgets what was not synced', async () => {
  const disk = new MemoryFileSystem();
  await disk.makeFolder('/run');
  await disk.syncFolder('/');
  const careless = Object.assign(Object.create(disk) as MemoryFileSystem, { syncFolder: async () => undefined });
  await (await open(careless)).save(testCheckpoint(10), { best: false });
  disk.losePower('old');
  await expect(newest(disk)).rejects.toMatchObject({ exitCode: 5 });
});

test('writes that take a few bytes at a time make the same checkpoint', async () => {
  const disk = new MemoryFileSystem();
  await disk.makeFolder('/run');
  await (await open(new FaultyFileSystem('short', 0, disk))).save(testCheckpoint(10), { best: false });
  expect(await newest(disk)).toEqual(testCheckpoint(10));
});

test('a save without space says so and takes its rubbish away', async () => {
  const disk = new MemoryFileSystem();
  await disk.makeFolder('/run');
  const calls = new FaultyFileSystem('ENOSPC', NO_CALL, disk);
  await (await open(calls)).save(testCheckpoint(10), { best: false });
  const store = await open(new FaultyFileSystem('ENOSPC', 20, disk));
  await expect(store.save(testCheckpoint(20), { best: false })).rejects.toMatchObject({ code: 'ENOSPC' });
  expect((await disk.list(FOLDER)).sort()).toEqual(['10', 'index.json']);
});
