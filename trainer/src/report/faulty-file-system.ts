// For tests: a file system in which one call goes wrong, or the process is killed at it.
import { type FileSystem, nodeFileSystem, type OpenFile, withoutSyncs } from './file-system.js';

/**
 * 'killed': the call has half its effect where that can be, and none after it has any. 'ENOSPC': from this call on nothing new
 * can be written. 'EIO': this call alone fails. 'short': from this call on writes take a few bytes only, which is no error.
 */
export type Fault = 'killed' | 'ENOSPC' | 'EIO' | 'short';

/** Calls that need space. */
const WRITES = new Set(['open', 'write', 'makeFolder']);

export class FaultyFileSystem implements FileSystem {
  /** Calls so far; the fault comes at the one of number `at`, counted from 0. */
  calls = 0;

  constructor(
    private readonly fault: Fault,
    private readonly at: number,
    private readonly inner: FileSystem,
  ) {}

  async open(path: string, mode: 'create' | 'append'): Promise<OpenFile> {
    const file = await this.call('open', () => this.inner.open(path, mode));
    return {
      write: (bytes) => this.write(file, bytes),
      truncate: (length) => this.call('truncate', () => file.truncate(length)),
      sync: () => this.call('sync', () => file.sync()),
      // Always closed, so that trials do not use up descriptors.
      close: () => this.call('close', async () => undefined).finally(() => file.close()),
    };
  }

  readFile = (path: string): Promise<Uint8Array> => this.call('readFile', () => this.inner.readFile(path));
  list = (folder: string): Promise<string[]> => this.call('list', () => this.inner.list(folder));
  makeFolder = (path: string): Promise<void> => this.call('makeFolder', () => this.inner.makeFolder(path));
  rename = (from: string, to: string): Promise<void> => this.call('rename', () => this.inner.rename(from, to));
  remove = (path: string): Promise<void> => this.call('remove', () => this.inner.remove(path));
  syncFolder = (path: string): Promise<void> => this.call('syncFolder', () => this.inner.syncFolder(path));

  private async write(file: OpenFile, bytes: Uint8Array): Promise<number> {
    const number = this.calls;
    if (this.fault === 'short' && number >= this.at) return this.call('write', () => file.write(bytes.subarray(0, 1000)));
    // A write that fails may have written some of it.
    if (number === this.at && bytes.length > 1) await file.write(bytes.subarray(0, bytes.length >> 1));
    return this.call('write', () => file.write(bytes));
  }

  private async call<T>(name: string, effect: () => Promise<T>): Promise<T> {
    const number = this.calls++;
    if (this.fault === 'killed' && number >= this.at) throw new Error('killed');
    if (this.fault === 'ENOSPC' && number >= this.at && WRITES.has(name)) throw systemError('ENOSPC');
    if (this.fault === 'EIO' && number === this.at) throw systemError('EIO');
    return effect();
  }
}

/** The real files without their syncs, which are for losses of power and would make hundreds of trials slow. */
export const unsyncedFileSystem: FileSystem = withoutSyncs(nodeFileSystem);

export const systemError = (code: string): Error => Object.assign(new Error(code), { code });
