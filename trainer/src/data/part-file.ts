// What has come of a download so far. Of several processes that want the same file one downloads and the others wait; what a
// process leaves unfinished is taken over by the next. Each writes a file of its own, so that none can spoil another's.
import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { exists } from './disk.js';

/** A fresh time stamp says that a process is at work. */
const BEAT_MS = 1_000;
/** Long enough for a busy machine to miss several beats. */
const STALE_MS = 15_000;
const POLL_MS = 200;

interface Found {
  readonly path: string;
  readonly bytes: number;
  readonly isLive: boolean;
}

interface Waiting {
  readonly signal?: AbortSignal | undefined;
  /** Told of what another process has downloaded so far. */
  readonly onWait: (bytes: number) => void;
}

export class PartFile {
  readonly path: string;
  readonly #target: string;
  readonly #timer: NodeJS.Timeout;

  private constructor(target: string) {
    this.#target = target;
    // Names sort by time of opening.
    const time = Date.now().toString(36).padStart(10, '0');
    this.path = `${target}.${time}-${randomBytes(4).toString('hex')}.part`;
    this.#timer = setInterval(() => {
      void utimes(this.path, new Date(), new Date()).catch(() => undefined);
    }, BEAT_MS).unref();
  }

  /**
   * A part of `target` that no other process writes, with the most that ended ones have left. Waits for a process that began
   * earlier; undefined where that one brings the file.
   */
  static async claim(target: string, { signal, onWait }: Waiting): Promise<PartFile | undefined> {
    const part = new PartFile(target);
    try {
      await (await open(part.path, 'wx')).close();
      for (;;) {
        const others = await part.#others();
        // After the others were looked for: one that is not among them any more has put the file in place before.
        if (await exists(target)) {
          await part.remove();
          return undefined;
        }
        const earlier = others.find(({ path, isLive }) => isLive && path < part.path);
        if (!earlier) {
          await part.#inherit(others.filter(({ isLive }) => !isLive));
          return part;
        }
        onWait(earlier.bytes);
        await pause(POLL_MS, undefined, { signal });
      }
    } catch (error) {
      await part.remove();
      throw error;
    }
  }

  /** The file is whole. */
  async finish(): Promise<void> {
    clearInterval(this.#timer);
    await rename(this.path, this.#target);
  }

  /** Stops; what has come is for the next process that tries, at once. */
  async leave(): Promise<void> {
    clearInterval(this.#timer);
    const bytes = await sizeOf(this.path);
    if (bytes > 0) await rename(this.path, `${this.#target}.part`);
    else await rm(this.path, { force: true });
  }

  async remove(): Promise<void> {
    clearInterval(this.#timer);
    await rm(this.path, { force: true });
  }

  async #inherit(left: readonly Found[]): Promise<void> {
    const [most, ...rest] = left.toSorted((a, b) => b.bytes - a.bytes);
    // Renaming claims it: of two processes that try, one gets it.
    if (most) await rename(most.path, this.path).catch(() => undefined);
    for (const { path } of rest) await rm(path, { force: true });
  }

  async #others(): Promise<Found[]> {
    const folder = dirname(this.#target);
    const names = (await readdir(folder)).filter(
      (name) => name.startsWith(`${basename(this.#target)}.`) && name.endsWith('.part'),
    );
    const found = await Promise.all(
      names.map(async (name) => {
        const path = join(folder, name);
        const { size, mtimeMs } = await stat(path).catch(() => ({ size: 0, mtimeMs: 0 }));
        return { path, bytes: size, isLive: path !== `${this.#target}.part` && Date.now() - mtimeMs < STALE_MS };
      }),
    );
    return found.filter(({ path }) => path !== this.path);
  }
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );
