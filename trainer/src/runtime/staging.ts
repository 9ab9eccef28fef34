// The folder in which a process puts a library together. Its fresh time stamp says that the process is at work; what a
// stopped one had downloaded is taken over.
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

const BEAT_MS = 1_000;
/** Long enough for a busy machine to miss several beats. */
const STALE_MS = 15_000;
const PREFIX = '.staging-';
const STOPPED = new Date(0);

export class Staging {
  readonly folder: string;
  readonly #parent: string;
  readonly #name: string;
  readonly #label: string;
  readonly #timer: NodeJS.Timeout;

  private constructor(parent: string, name: string, label: string) {
    this.#parent = parent;
    this.#name = name;
    this.#label = label;
    this.folder = join(parent, name);
    this.#timer = setInterval(() => void utimes(this.folder, new Date(), new Date()).catch(() => undefined), BEAT_MS).unref();
  }

  /** A fresh folder below `parent`. `label` names what is put together there; names sort by time of opening. */
  static async open(parent: string, label: string): Promise<Staging> {
    const time = Date.now().toString(36).padStart(10, '0');
    const folder = await mkdtemp(join(parent, `${PREFIX}${label}-${time}-`));
    await mkdir(join(folder, 'wheels'));
    return new Staging(parent, folder.slice(parent.length + 1), label);
  }

  get wheels(): string {
    return join(this.folder, 'wheels');
  }

  /** Whether a process that opened its folder earlier is still putting the same thing together. */
  async isBehind(): Promise<boolean> {
    const others = await this.#others();
    return others.some(({ name, isLive }) => isLive && this.#isSame(name) && name < this.#name);
  }

  /** Takes over the wheels that stopped processes had finished, and removes the rest of what they left. */
  async inherit(): Promise<void> {
    for (const { name, isLive } of await this.#others()) {
      if (isLive) continue;
      const taken = join(this.folder, 'taken');
      // Renaming claims it: of two processes that try, one gets it.
      const isMine = await rename(join(this.#parent, name), taken).then(
        () => true,
        () => false,
      );
      if (!isMine) continue;
      if (this.#isSame(name)) await moveWheels(join(taken, 'wheels'), this.wheels);
      await rm(taken, { recursive: true, force: true });
    }
  }

  /** Stops, keeping only the wheels, for the next process that tries. */
  async leave(): Promise<void> {
    clearInterval(this.#timer);
    for (const name of await readdir(this.folder).catch(() => []))
      if (name !== 'wheels') await rm(join(this.folder, name), { recursive: true, force: true });
    await rm(join(this.wheels, 'partial'), { recursive: true, force: true });
    await utimes(this.folder, STOPPED, STOPPED).catch(() => undefined);
  }

  async remove(): Promise<void> {
    clearInterval(this.#timer);
    await rm(this.folder, { recursive: true, force: true });
  }

  #isSame(name: string): boolean {
    return name.startsWith(`${PREFIX}${this.#label}-`);
  }

  async #others(): Promise<{ name: string; isLive: boolean }[]> {
    const names = (await readdir(this.#parent)).filter((name) => name.startsWith(PREFIX) && name !== this.#name);
    return Promise.all(
      names.map(async (name) => ({ name, isLive: Date.now() - (await changedAt(join(this.#parent, name))) < STALE_MS })),
    );
  }
}

const changedAt = (path: string): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );

async function moveWheels(from: string, to: string): Promise<void> {
  const wheels = await readdir(from).catch(() => []);
  for (const name of wheels.filter((n) => n.endsWith('.whl'))) await rename(join(from, name), join(to, name));
}
