// Files that exist whole or not at all: temporary name, fsync, rename, fsync of the folder.
import path from 'node:path';
import { environmentError } from '../errors.js';
import { TEMPORARY_PREFIX } from '../files.js';
import type { FileSystem, OpenFile } from './file-system.js';

/** Bytes handed to the operating system at once, so that hashing and copying never hold the thread for long. */
const CHUNK_BYTES = 1 << 20;

export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Writes all bytes in pieces of at most 1 MiB, going on after short writes. `onBytes` is told of each piece first. */
export async function writeAll(file: OpenFile, bytes: Uint8Array, onBytes?: (piece: Uint8Array) => void): Promise<void> {
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    let piece = bytes.subarray(start, start + CHUNK_BYTES);
    onBytes?.(piece);
    while (piece.length > 0) {
      const taken = await file.write(piece);
      if (taken <= 0) throw environmentError('cannot write to the disk: it takes no more bytes; free some space on it');
      piece = piece.subarray(taken);
    }
  }
}

/** Writes a new file and syncs it. It is not safe before its folder is synced too. */
export async function writeSynced(
  fileSystem: FileSystem,
  filePath: string,
  chunks: Chunks,
  onBytes?: (piece: Uint8Array) => void,
): Promise<void> {
  const file = await fileSystem.open(filePath, 'create');
  try {
    for await (const chunk of chunks) await writeAll(file, chunk, onBytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Replaces the file at `filePath` in one step: readers see the old content or the new one, also after a crash. */
export async function writeAtomically(fileSystem: FileSystem, filePath: string, content: string | Chunks): Promise<void> {
  const folder = path.dirname(filePath);
  const temporary = path.join(folder, `${TEMPORARY_PREFIX}${path.basename(filePath)}`);
  try {
    await fileSystem.remove(temporary);
    await writeSynced(fileSystem, temporary, typeof content === 'string' ? [new TextEncoder().encode(content)] : content);
    await fileSystem.rename(temporary, filePath);
  } catch (error) {
    await fileSystem.remove(temporary).catch(() => undefined);
    throw error;
  }
  await fileSystem.syncFolder(folder);
}
