import { describe, expect, test, vi } from 'vitest';
import { newestCheckpoint } from './checkpoint-list.js';
import { openCheckpoints, openCommits } from './checkpoints.js';
import type { Checkpoint } from './contract.js';
import { type Fault, FaultyFileSystem } from './faulty-file-system.js';
import type { FileSystem } from './file-system.js';
import { MemoryFileSystem } from './memory-file-system.js';
import { testCheckpoint } from './test-checkpoint.js';

// Hundreds of saves a test: a second on a quiet machine.
vi.setConfig({ testTimeout: 60_000 });

const RUN = '/run';
const NO_CALL = Number.POSITIVE_INFINITY;

type Kind = 'checkpoints' | 'commits';
type Save = (checkpoint: Checkpoint) => Promise<string>;

/** Opens what writes checkpoints (all the best so far) or commits. */
async function open(kind: Kind, fileSystem: FileSystem): Promise<Save> {
  if (kind === 'commits') return (await openCommits({ runPath: RUN }, fileSystem)).save;
  const { save } = await openCheckpoints({ runPath: RUN, keep: 2 }, fileSystem);
  return (checkpoint) => save(checkpoint, { best: true });
}

async function newDisk(): Promise<MemoryFileSystem> {
  const disk = new MemoryFileSystem();
  await disk.makeFolder(RUN);
  await disk.syncFolder('/');
  return disk;
}

interface Trial {
  /** What is there, in the order it was saved. */
  readonly before: readonly (readonly [kind: Kind, checkpoint: Checkpoint])[];
  readonly kind: Kind;
  readonly next: Checkpoint;
  readonly fault: Fault;
  /** What happens between the fault and the look at what is left. */
  readonly then?: (disk: MemoryFileSystem) => void;
}

/**
 * Saves `next` on top of `before` once for each call that this takes, with the fault at that call. Each time what is found
 * must be whole, without anything passed over, and the next process must be able to save. Returns the checkpoints found.
 */
async function everyCall({ before, kind, next, fault, then }: Trial): Promise<{ found: Checkpoint[]; trials: number }> {
  const found = new Map<string, Checkpoint>();
  for (let at = 0; ; at++) {
    const disk = await newDisk();
    for (const [kindBefore, checkpoint] of before) await (await open(kindBefore, disk))(checkpoint);
    const faulty = new FaultyFileSystem(fault, at, disk);
    const outcome = await open(kind, faulty)
      .then((save) => save(next))
      .catch((error: Error) => error);
    then?.(disk);
    const left = await newest(disk);
    found.set(`${left.state.step} ${left.state.models.resnet!.sums.loss}`, left);
    if (faulty.calls > at && fault === 'killed') expect(outcome).toBeInstanceOf(Error);
    await goOn(disk, kind, next);
    if (faulty.calls <= at) {
      expect(left).toEqual(next);
      return { found: [...found.values()], trials: at };
    }
  }
}

async function newest(disk: FileSystem): Promise<Checkpoint> {
  const notices: string[] = [];
  const { checkpoint } = await newestCheckpoint(disk, RUN, (line) => notices.push(line));
  expect(notices).toEqual([]);
  return checkpoint;
}

/** As the next process does: it clears up, saves, and finds what it saved. */
async function goOn(disk: FileSystem, kind: Kind, next: Checkpoint): Promise<void> {
  await (await open(kind, disk))(next);
  expect(await newest(disk)).toEqual(next);
  expect((await disk.list(`${RUN}/${kind}`)).filter((name) => name.startsWith('.'))).toEqual([]);
}

const older = (kind: Kind) => [10, 20, 30].map((step) => [kind, testCheckpoint(step)] as const);
const faults = ['killed', 'ENOSPC', 'EIO'] as const;

describe.each(faults.flatMap((fault) => (['checkpoints', 'commits'] as const).map((kind) => [fault, kind] as const)))(
  '%s at every call, with %s',
  (fault, kind) => {
    test('leaves the one before or the new one, whole', async () => {
      const { found, trials } = await everyCall({ before: older(kind), kind, next: testCheckpoint(40), fault });
      expect(trials).toBeGreaterThan(30);
      expect(found).toEqual([testCheckpoint(30), testCheckpoint(40)]);
    });

    test('leaves the old or the new one where a step is saved again', async () => {
      const { found } = await everyCall({ before: [[kind, testCheckpoint(30)]], kind, next: testCheckpoint(30, 2), fault });
      expect(found).toEqual([testCheckpoint(30), testCheckpoint(30, 2)]);
    });

    test('leaves the newest of the other kind or the new one', async () => {
      const other: Kind = kind === 'commits' ? 'checkpoints' : 'commits';
      const before = [...older(kind), [other, testCheckpoint(35)] as const];
      const { found } = await everyCall({ before, kind, next: testCheckpoint(40), fault });
      expect(found).toEqual([testCheckpoint(35), testCheckpoint(40)]);
    });
  },
);

describe.each(['old', 'new'] as const)('power lost at every call, with the %s names on the disk', (names) => {
  const then = (disk: MemoryFileSystem): void => disk.losePower(names);
  const kind = 'checkpoints';

  test('leaves the checkpoint before or the new one, whole', async () => {
    const { found } = await everyCall({ before: older(kind), kind, next: testCheckpoint(40), fault: 'killed', then });
    expect(found).toEqual([testCheckpoint(30), testCheckpoint(40)]);
  });

  test('leaves the old or the new one where a step is saved again', async () => {
    const before = [[kind, testCheckpoint(30)] as const];
    const { found } = await everyCall({ before, kind, next: testCheckpoint(30, 2), fault: 'killed', then });
    expect(found).toEqual([testCheckpoint(30), testCheckpoint(30, 2)]);
  });

  test('takes commits away, and is told where it left their names', async () => {
    const disk = await newDisk();
    await (await open('checkpoints', disk))(testCheckpoint(10));
    for (const step of [20, 30]) await (await open('commits', disk))(testCheckpoint(step));
    then(disk);
    const notices: string[] = [];
    const { checkpoint } = await newestCheckpoint(disk, RUN, (line) => notices.push(line));
    expect(checkpoint).toEqual(testCheckpoint(10));
    expect(notices).toHaveLength(names === 'new' ? 2 : 0);
    await goOn(disk, 'commits', testCheckpoint(40));
  });
});

test('the disk of these tests forgets what was not synced', async () => {
  const disk = await newDisk();
  await (await open('commits', disk))(testCheckpoint(10));
  disk.losePower('old');
  await expect(newest(disk)).rejects.toMatchObject({ exitCode: 5 });
});

test.each(['checkpoints', 'commits'] as const)('writes that take a few bytes at a time make the same %s', async (kind) => {
  const disk = await newDisk();
  await (await open(kind, new FaultyFileSystem('short', 0, disk)))(testCheckpoint(10));
  expect(await newest(disk)).toEqual(testCheckpoint(10));
});

test.each(['checkpoints', 'commits'] as const)('%s without space say so and take their rubbish away', async (kind) => {
  const disk = await newDisk();
  await (await open(kind, new FaultyFileSystem('ENOSPC', NO_CALL, disk)))(testCheckpoint(10));
  const save = await open(kind, new FaultyFileSystem('ENOSPC', 20, disk));
  await expect(save(testCheckpoint(20))).rejects.toMatchObject({
    exitCode: 3,
    message: expect.stringMatching(/^cannot write a checkpoint in \/run: no space left on the disk; /),
  });
  expect((await disk.list(`${RUN}/${kind}`)).sort()).toEqual(['10', 'index.json']);
});

test('saves that overlap are written one after the other', async () => {
  const disk = await newDisk();
  const save = await open('commits', disk);
  await Promise.all([10, 20, 30].map((step) => save(testCheckpoint(step))));
  expect((await disk.list(`${RUN}/commits`)).sort()).toEqual(['20', '30', 'index.json']);
  expect(await newest(disk)).toEqual(testCheckpoint(30));
});
