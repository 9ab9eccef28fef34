// Zip archives, entry by entry in the order of their directory.
import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import {
  ArchiveError,
  type ArchiveLimits,
  bomb,
  damaged,
  type OnRead,
  printable,
  type SourceEntry,
  safePath,
} from './contract.js';

const FILE_TYPE = 0o170000;
const REGULAR = 0o100000;

export interface ZipOptions {
  readonly bytes: number;
  readonly wanted: (path: string) => boolean;
  readonly onRead: OnRead;
  readonly limits: ArchiveLimits;
}

/** @throws ArchiveError where it is damaged, unsafe or over the limits. */
export async function* readZip(path: string, { bytes, wanted, onRead, limits }: ZipOptions): AsyncGenerator<SourceEntry> {
  let zip: ZipFile | undefined;
  try {
    zip = await openPromise(path, { autoClose: false });
    const entries = await list(zip, bytes, limits);
    for (const [i, entry] of entries.entries()) {
      const name = safePath(entry.fileName);
      const folder = entry.fileName.endsWith('/');
      if (folder || isRegular(entry)) {
        yield { path: name, folder, bytes: !folder && wanted(name) ? await read(zip, entry) : undefined };
      }
      onRead(i + 1, entries.length, 'images');
    }
  } catch (error) {
    throw error instanceof ArchiveError || isSystemError(error)
      ? error
      : damaged(error instanceof Error ? error.message : String(error));
  } finally {
    zip?.close();
  }
}

/** Of the disk or ours, not of the archive: yauzl's and zlib's own are told by their messages alone. */
const isSystemError = (error: unknown): boolean => error instanceof Error && 'syscall' in error;

/** The whole directory, so that a bomb is known before anything is inflated. */
async function list(zip: ZipFile, archiveBytes: number, limits: ArchiveLimits): Promise<Entry[]> {
  const entries: Entry[] = [];
  let total = 0;
  for await (const entry of zip.eachEntry()) {
    entries.push(entry);
    total += entry.uncompressedSize;
    const name = printable(entry.fileName);
    if (entries.length > limits.files) throw new ArchiveError(`holds more than ${limits.files} files`);
    if (entry.isEncrypted()) throw new ArchiveError(`is encrypted (${name})`);
    if (entry.uncompressedSize > limits.fileBytes) {
      throw new ArchiveError(`holds a file of ${entry.uncompressedSize} bytes (${name}), more than ${limits.fileBytes}`);
    }
    if (total > limits.totalBytes || (total > limits.ratioFromBytes && total > limits.ratio * archiveBytes)) {
      throw bomb(total, archiveBytes);
    }
  }
  return entries;
}

/** Links and devices carry their type in Unix attributes; archives made elsewhere have none. */
function isRegular(entry: Entry): boolean {
  const type = (entry.externalFileAttributes >>> 16) & FILE_TYPE;
  return type === 0 || type === REGULAR;
}

async function read(zip: ZipFile, entry: Entry): Promise<Uint8Array> {
  const parts: Buffer[] = [];
  for await (const part of await zip.openReadStreamPromise(entry)) parts.push(part as Buffer);
  const bytes = Buffer.concat(parts);
  if (crc32(bytes) !== entry.crc32) throw damaged(`checksum of ${entry.fileName}`);
  return bytes;
}
