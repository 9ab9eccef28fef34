// What really happens to checkpoints and commits: their process is killed at a file operation, their bits flip, their files are cut.
import { spawn } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { randomStream } from '../../trainer/src/random.js';
import { newestCheckpoint } from '../../trainer/src/report/checkpoint-list.js';
import { openCheckpoints, openCommits } from '../../trainer/src/report/checkpoints.js';
import { unsyncedFileSystem } from '../../trainer/src/report/faulty-file-system.js';
import { testCheckpoint } from '../../trainer/src/report/test-checkpoint.js';

const WRITER = new URL('checkpoint-writer.mjs', import.meta.url).pathname;

type Kind = 'checkpoints' | 'commits';
/** One saved: where, of which step, with values times what. */
type Saved = readonly [kind: Kind, step: number, scale?: number];

/** What lies in a run when something happens to the last of it. */
export interface Scene {
  readonly before: readonly Saved[];
  /** Is being saved when the process is killed. */
  readonly next: Saved;
}

export const SCENES: Readonly<Record<'a checkpoint' | 'a commit' | 'a checkpoint saved again' | 'a commit saved again', Scene>> =
  {
    'a checkpoint': {
      before: [
        ['checkpoints', 10],
        ['commits', 15],
        ['checkpoints', 20],
      ],
      next: ['checkpoints', 30],
    },
    'a commit': {
      before: [
        ['checkpoints', 10],
        ['commits', 20],
      ],
      next: ['commits', 30],
    },
    'a checkpoint saved again': {
      before: [
        ['checkpoints', 10],
        ['checkpoints', 20],
      ],
      next: ['checkpoints', 20, 3],
    },
    'a commit saved again': {
      before: [
        ['checkpoints', 10],
        ['commits', 20],
      ],
      next: ['commits', 20, 3],
    },
  };

async function save(run: string, [kind, step, scale = 1]: Saved): Promise<void> {
  const writer =
    kind === 'commits'
      ? await openCommits({ runPath: run }, unsyncedFileSystem)
      : await openCheckpoints({ runPath: run, keep: 2 }, unsyncedFileSystem);
  await writer.save(testCheckpoint(step, scale), { best: false });
}

async function newest(run: string) {
  const notices: string[] = [];
  const { checkpoint } = await newestCheckpoint(unsyncedFileSystem, run, (line) => notices.push(line));
  return { checkpoint, notices };
}

/** A run with what the scene begins with, for as long as the task takes. */
async function within<T>({ before }: Scene, task: (run: string) => Promise<T>): Promise<T> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'checkpoints-'));
  try {
    const run = path.join(folder, 'run');
    await fs.mkdir(run);
    for (const saved of before) await save(run, saved);
    return await task(run);
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}

/** Whether the writer was killed before its end. */
const saveKilledAt = (run: string, [kind, step, scale = 1]: Saved, operation: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [WRITER, run, kind, ...[step, scale, operation].map(String)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (signal === 'SIGKILL') resolve(true);
      else if (code === 0) resolve(false);
      else reject(new Error(`the writer ended with ${code ?? signal}`));
    });
  });

/**
 * Kills the process that saves `next` at each of its file operations in turn, and checks that what is found then is the one
 * before or the new one, whole, and that the next process can save. Returns how often each was found.
 */
export const killAtEveryOperation = (scene: Scene): Promise<{ before: number; next: number }> =>
  within(scene, async (run) => {
    const [kind, step, scale = 1] = scene.next;
    const next = testCheckpoint(step, scale);
    const before = (await newest(run)).checkpoint;
    const found = { before: 0, next: 0 };
    const trial = async (operation: number): Promise<boolean> => {
      const copy = path.join(path.dirname(run), `trial-${operation}`);
      await fs.cp(run, copy, { recursive: true });
      const killed = await saveKilledAt(copy, scene.next, operation);
      const { checkpoint, notices } = await newest(copy);
      expect({ checkpoint, notices }).toEqual({ checkpoint: isSame(checkpoint, next) ? next : before, notices: [] });
      found[isSame(checkpoint, next) ? 'next' : 'before']++;
      await save(copy, scene.next);
      expect(await newest(copy)).toEqual({ checkpoint: next, notices: [] });
      expect((await fs.readdir(path.join(copy, kind))).filter((name) => name.startsWith('.'))).toEqual([]);
      await fs.rm(copy, { recursive: true });
      return killed;
    };
    for (let operation = 0, more = true; more; operation += 2)
      more = (await Promise.all([trial(operation), trial(operation + 1)])).every(Boolean);
    return found;
  });

const isSame = (a: ReturnType<typeof testCheckpoint>, b: ReturnType<typeof testCheckpoint>): boolean =>
  a.state.step === b.state.step && a.state.models.resnet!.sums.loss === b.state.models.resnet!.sums.loss;

/**
 * Flips a bit of, or cuts, a file of the newest that the scene begins with, again and again: each time it must be refused with a
 * notice, and the one before it found. Returns how often which was done.
 */
export const damageNewest = (scene: Scene, trials: number): Promise<{ flipped: number; cut: number }> =>
  within(scene, async (run) => {
    const [kind, step] = scene.before.at(-1)!;
    const folder = path.join(run, kind, String(step));
    const whole = await newest(run);
    const names = (await fs.readdir(folder)).sort();
    const fallback = testCheckpoint(scene.before.at(-2)![1]);
    const random = randomStream(11, 'damage');
    const done = { flipped: 0, cut: 0 };
    for (let trial = 0; trial < trials; trial++) {
      const name = names[trial % names.length]!;
      const place = path.join(folder, name);
      const content = await fs.readFile(place);
      const damaged = Buffer.from(content);
      const how = random.below(4) === 0 ? 'cut' : 'flipped';
      const at = random.below(content.length);
      if (how === 'flipped') damaged[at] = damaged[at]! ^ (1 << random.below(8));
      await fs.writeFile(place, how === 'cut' ? damaged.subarray(0, at) : damaged);
      expect({ ...(await newest(run)), name, how, at }).toEqual({
        ...{ checkpoint: fallback, name, how, at },
        notices: [expect.stringMatching(/^the checkpoint \S+ is damaged \(.+\): passed over$/)],
      });
      await fs.writeFile(place, content);
      done[how]++;
    }
    expect(await newest(run)).toEqual(whole);
    expect(names).toHaveLength(6);
    return done;
  });
