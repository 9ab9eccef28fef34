// The checkpoints of one run: a new one appears whole or not at all, old ones go, pointers name the last and the best.
import path from 'node:path';
import { TEMPORARY_PREFIX } from '../files.js';
import { writeAtomically } from './atomic.js';
import { readManifest, writeCheckpointFiles } from './checkpoint-files.js';
import { checkpointFolders, REPLACED_PREFIX } from './checkpoint-list.js';
import type { Checkpoint } from './contract.js';
import { type FileSystem, makeFolders } from './file-system.js';

export interface CheckpointStoreOptions {
  readonly fileSystem: FileSystem;
  /** The run's checkpoints folder; made where it is missing. */
  readonly folder: string;
  /** How many of the newest stay, beside the best. */
  readonly keep: number;
  /** Checkpoints after this step belong to a course that is given up, and are removed. */
  readonly upToStep?: number;
}

export class CheckpointStore {
  /** Steps there are, and whether each was the best so far when it was saved. */
  private readonly best = new Map<number, boolean>();

  private constructor(private readonly options: CheckpointStoreOptions) {}

  /** Clears up what a killed process left behind. */
  static async open(options: CheckpointStoreOptions): Promise<CheckpointStore> {
    const { fileSystem, folder, upToStep = Number.POSITIVE_INFINITY } = options;
    await makeFolders(fileSystem, folder);
    await fileSystem.syncFolder(path.dirname(folder));
    const store = new CheckpointStore(options);
    for (const name of await fileSystem.list(folder))
      if (name.startsWith(TEMPORARY_PREFIX)) await fileSystem.remove(path.join(folder, name));
    // Newest first: killed on the way, this leaves no course in which steps are missing.
    for (const { step, replaced, path: found } of await checkpointFolders(fileSystem, folder)) {
      if (step > upToStep || store.best.has(step)) await store.remove(found);
      else {
        if (replaced) await fileSystem.rename(found, store.path(step));
        store.best.set(step, await wasBest(fileSystem, store.path(step)));
      }
    }
    if (store.best.size > 0) await store.writeIndex();
    return store;
  }

  /**
   * Saves a checkpoint and returns its folder. Until the very rename that makes it appear, those before it are untouched.
   * Saving a step again replaces it.
   */
  async save(checkpoint: Checkpoint, options: { readonly best: boolean }): Promise<string> {
    const { fileSystem, folder } = this.options;
    const { step } = checkpoint.state;
    const best = options.best || (this.best.get(step) ?? false);
    const temporary = path.join(folder, `${TEMPORARY_PREFIX}${step}`);
    try {
      await fileSystem.remove(temporary);
      await writeCheckpointFiles(fileSystem, temporary, checkpoint, best);
      await this.putInPlace(temporary, step);
    } catch (error) {
      await fileSystem.remove(temporary).catch(() => undefined);
      throw error;
    }
    this.best.set(step, best);
    await this.writeIndex();
    await this.removeOld();
    return this.path(step);
  }

  /** A folder with content cannot be replaced in one step: the old one steps aside, under a name that readers know too. */
  private async putInPlace(temporary: string, step: number): Promise<void> {
    const { fileSystem, folder } = this.options;
    const place = this.path(step);
    const aside = path.join(folder, `${REPLACED_PREFIX}${step}`);
    const replaces = this.best.has(step);
    if (replaces) await fileSystem.rename(place, aside);
    try {
      await fileSystem.rename(temporary, place);
    } catch (error) {
      if (replaces) await fileSystem.rename(aside, place).catch(() => undefined);
      throw error;
    }
    await fileSystem.syncFolder(folder);
    if (replaces) await this.remove(aside);
  }

  private path(step: number): string {
    return path.join(this.options.folder, String(step));
  }

  /** -1: none. */
  private newestBest(): number {
    return Math.max(...[...this.best].filter(([, best]) => best).map(([step]) => step), -1);
  }

  /** For people and other programs: everything in it follows from the folders, which are what counts. */
  private async writeIndex(): Promise<void> {
    const steps = [...this.best.keys()].sort((a, b) => a - b);
    const best = this.newestBest();
    const index = { last: `${steps.at(-1)}`, best: best === -1 ? null : `${best}`, checkpoints: steps.map(String) };
    await writeAtomically(this.options.fileSystem, path.join(this.options.folder, 'index.json'), `${JSON.stringify(index)}\n`);
  }

  private async removeOld(): Promise<void> {
    const steps = [...this.best.keys()].sort((a, b) => b - a);
    const kept = new Set([...steps.slice(0, this.options.keep), this.newestBest()]);
    const old = steps.filter((step) => !kept.has(step));
    if (old.length === 0) return;
    for (const step of old) {
      await this.remove(this.path(step));
      this.best.delete(step);
    }
    await this.writeIndex();
  }

  /** Renamed first: killed on the way, this leaves rubbish but no checkpoint that lacks files. */
  private async remove(folder: string): Promise<void> {
    const { fileSystem } = this.options;
    const rubbish = path.join(this.options.folder, `${TEMPORARY_PREFIX}old-${path.basename(folder)}`);
    await fileSystem.rename(folder, rubbish);
    await fileSystem.remove(rubbish);
  }
}

const wasBest = (fileSystem: FileSystem, folder: string): Promise<boolean> =>
  readManifest(fileSystem, folder).then(
    (manifest) => manifest.best,
    // Damaged: it stays until newer ones push it out, and is never called the best.
    () => false,
  );
