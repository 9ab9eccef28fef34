// The few file operations that runs and checkpoints need, as an interface, so that tests can fail each call in turn.
import fs from 'node:fs/promises';
import { errorCode } from '../files.js';

/** An open file. `write` may take fewer bytes than offered, as the operating system may. */
export interface OpenFile {
  /** Writes at the file's position (at its end when opened for appending). Returns the bytes taken. */
  write(bytes: Uint8Array): Promise<number>;
  /** Cuts the file off after `length` bytes. */
  truncate(length: number): Promise<void>;
  /** Returns once the content would survive a loss of power. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface FileSystem {
  /** 'create' fails where the file exists; 'append' makes it where it does not. */
  open(path: string, mode: 'create' | 'append'): Promise<OpenFile>;
  /** The whole file, in memory of exactly its size. */
  readFile(path: string): Promise<Uint8Array>;
  /** Names within a folder, in no order. */
  list(folder: string): Promise<string[]>;
  /** Makes one folder; fails where something of that name exists. */
  makeFolder(path: string): Promise<void>;
  /** As `mv`: replaces a file, and an empty folder. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a whole folder; no error where there is none. */
  remove(path: string): Promise<void>;
  /** Makes the folder's entries (new names, renames) survive a loss of power. */
  syncFolder(path: string): Promise<void>;
}

/** Error codes of folders that cannot be synced on some file systems; their metadata is as safe as it gets there. */
const UNSYNCABLE = new Set(['EINVAL', 'EISDIR', 'ENOTSUP']);

export const nodeFileSystem: FileSystem = {
  async open(path, mode) {
    const handle = await fs.open(path, mode === 'create' ? 'wx' : 'a');
    return {
      write: async (bytes) => (await handle.write(bytes)).bytesWritten,
      truncate: (length) => handle.truncate(length),
      sync: () => handle.sync(),
      close: () => handle.close(),
    };
  },
  readFile: (path) => fs.readFile(path),
  list: (folder) => fs.readdir(folder),
  async makeFolder(path) {
    await fs.mkdir(path);
  },
  rename: (from, to) => fs.rename(from, to),
  remove: (path) => fs.rm(path, { recursive: true, force: true }),
  async syncFolder(path) {
    const handle = await fs.open(path, 'r');
    try {
      await handle.sync();
    } catch (error) {
      if (!UNSYNCABLE.has(errorCode(error))) throw error;
    } finally {
      await handle.close();
    }
  },
};

/** The same files, of which nothing is promised after a loss of power: what a killed process wrote stays in the system's memory. */
export const withoutSyncs = (fileSystem: FileSystem): FileSystem => ({
  open: async (path, mode) => {
    const file = await fileSystem.open(path, mode);
    return {
      write: (bytes) => file.write(bytes),
      truncate: (length) => file.truncate(length),
      sync: async () => undefined,
      close: () => file.close(),
    };
  },
  readFile: (path) => fileSystem.readFile(path),
  list: (folder) => fileSystem.list(folder),
  makeFolder: (path) => fileSystem.makeFolder(path),
  rename: (from, to) => fileSystem.rename(from, to),
  remove: (path) => fileSystem.remove(path),
  syncFolder: async () => undefined,
});

/** Makes a folder and those above it; one that exists is fine. */
export async function makeFolders(fileSystem: FileSystem, path: string): Promise<void> {
  try {
    await fileSystem.makeFolder(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') {
      const parent = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
      if (parent === '' || parent === path) throw error;
      await makeFolders(fileSystem, parent);
      await makeFolders(fileSystem, path);
    } else if (errorCode(error) !== 'EEXIST') {
      throw error;
    }
  }
}
