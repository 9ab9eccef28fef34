// For tests: files in memory that know what a loss of power would leave of them. Names are durable once their folder was
// synced, contents once their file was; whatever else is there is at the mercy of the disk.

import { systemError } from './faulty-file-system.js';
import type { FileSystem, OpenFile } from './file-system.js';

interface File {
  data: Buffer;
  synced: Buffer;
}
interface Folder {
  entries: Map<string, File | Folder>;
  synced: Map<string, File | Folder>;
}

const isFolder = (node: File | Folder | undefined): node is Folder => node !== undefined && 'entries' in node;
const newFolder = (): Folder => ({ entries: new Map(), synced: new Map() });

export class MemoryFileSystem implements FileSystem {
  private root = newFolder();

  async open(path: string, mode: 'create' | 'append'): Promise<OpenFile> {
    const [parent, name] = this.parent(path);
    const found = parent.entries.get(name);
    if (found !== undefined && mode === 'create') throw systemError('EEXIST');
    if (isFolder(found)) throw systemError('EISDIR');
    const file = found ?? { data: Buffer.alloc(0), synced: Buffer.alloc(0) };
    parent.entries.set(name, file);
    return {
      write: async (bytes) => {
        file.data = Buffer.concat([file.data, bytes]);
        return bytes.length;
      },
      truncate: async (length) => {
        file.data = file.data.subarray(0, length);
      },
      sync: async () => {
        file.synced = file.data;
      },
      close: async () => undefined,
    };
  }

  async readFile(path: string): Promise<Uint8Array> {
    const [parent, name] = this.parent(path);
    const file = parent.entries.get(name);
    if (file === undefined) throw systemError('ENOENT');
    if (isFolder(file)) throw systemError('EISDIR');
    return Uint8Array.from(file.data);
  }

  async list(folder: string): Promise<string[]> {
    return [...this.folder(folder).entries.keys()];
  }

  async makeFolder(path: string): Promise<void> {
    const [parent, name] = this.parent(path);
    if (parent.entries.has(name)) throw systemError('EEXIST');
    parent.entries.set(name, newFolder());
  }

  async rename(from: string, to: string): Promise<void> {
    const [oldParent, oldName] = this.parent(from);
    const [newParent, newName] = this.parent(to);
    const node = oldParent.entries.get(oldName);
    const taken = newParent.entries.get(newName);
    if (node === undefined) throw systemError('ENOENT');
    if (isFolder(taken) && taken.entries.size > 0) throw systemError('ENOTEMPTY');
    oldParent.entries.delete(oldName);
    newParent.entries.set(newName, node);
  }

  async remove(path: string): Promise<void> {
    const [parent, name] = this.parent(path);
    parent.entries.delete(name);
  }

  async syncFolder(path: string): Promise<void> {
    const folder = this.folder(path);
    folder.synced = new Map(folder.entries);
  }

  /**
   * What the disk holds afterwards: of names that were not synced the old ones or the new ones (both are possible), and of
   * contents that were not synced nothing.
   */
  losePower(names: 'old' | 'new'): void {
    const survivor = (node: File | Folder): File | Folder => {
      if (!isFolder(node)) return { data: node.synced, synced: node.synced };
      const entries = new Map(
        [...(names === 'old' ? node.synced : node.entries)].map(([name, child]) => [name, survivor(child)]),
      );
      return { entries, synced: new Map(entries) };
    };
    this.root = survivor(this.root) as Folder;
  }

  private folder(path: string): Folder {
    let folder = this.root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      const next = folder.entries.get(name);
      if (next === undefined) throw systemError('ENOENT');
      if (!isFolder(next)) throw systemError('ENOTDIR');
      folder = next;
    }
    return folder;
  }

  private parent(path: string): [folder: Folder, name: string] {
    const at = path.lastIndexOf('/');
    return [this.folder(path.slice(0, at)), path.slice(at + 1)];
  }
}
