// Opens an archive by what it holds, not by what it is called.
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import xz from 'xz-decompress';
import { ARCHIVE_LIMITS, ArchiveError, type ArchiveLimits, bomb, damaged, type FileSource, type OnRead } from './contract.js';
import { readTar } from './tar.js';
import { readZip } from './zip.js';

type Kind = 'tar' | 'gzip' | 'xz' | 'zip';

const UNSUPPORTED: readonly [name: string, magic: string][] = [
  ['a bzip2 file', '425a68'],
  ['a Zstandard file', '28b52ffd'],
  ['a 7z archive', '377abcaf271c'],
  ['a RAR archive', '526172211a07'],
  ['a PDF document', '25504446'],
  ['a JPEG image', 'ffd8ff'],
  ['a PNG image', '89504e47'],
];

/**
 * A .tar, .tar.gz, .tar.xz or .zip file as a source.
 *
 * @throws ArchiveError where it is none of these; the system's error where it cannot be read.
 */
export async function openArchive(path: string, limits: ArchiveLimits = ARCHIVE_LIMITS): Promise<FileSource> {
  const { size, mtimeMs } = await stat(path);
  const kind = sniff(await firstBytes(path));
  return {
    key: JSON.stringify([resolve(path), size, mtimeMs]),
    entries: (wanted, onRead) =>
      kind === 'zip'
        ? readZip(path, { bytes: size, wanted, onRead, limits })
        : readTar(unpacked({ path, kind, size, onRead, limits }), wanted, limits),
  };
}

async function firstBytes(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(512), 0, 512, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function sniff(head: Buffer): Kind {
  const hex = head.toString('hex');
  if (hex.startsWith('fd377a585a00')) return 'xz';
  if (hex.startsWith('1f8b')) return 'gzip';
  if (hex.startsWith('504b0304') || hex.startsWith('504b0506')) return 'zip';
  if (head.toString('latin1', 257, 262) === 'ustar') return 'tar';
  if (head.length === 0) throw new ArchiveError('is empty');
  if (/^\s*<(!doctype|html|\?xml)/i.test(head.toString('latin1'))) {
    throw new ArchiveError('is a web page, not an archive: download the file itself');
  }
  const other = UNSUPPORTED.find(([, magic]) => hex.startsWith(magic));
  throw new ArchiveError(`is ${other ? other[0] : 'no archive'}: give a folder, .tar, .tar.gz, .tar.xz or .zip`);
}

interface Unpacking {
  readonly path: string;
  readonly kind: Exclude<Kind, 'zip'>;
  readonly size: number;
  readonly onRead: OnRead;
  readonly limits: ArchiveLimits;
}

/** The tar stream within, as long as it keeps to the limits. */
async function* unpacked({ path, kind, size, onRead, limits }: Unpacking): AsyncGenerator<Uint8Array> {
  const file = createReadStream(path, { highWaterMark: 1 << 17 });
  let total = 0;
  try {
    for await (const chunk of decompress(file, kind)) {
      total += chunk.length;
      const swollen = total > limits.ratioFromBytes && total > limits.ratio * file.bytesRead;
      if (swollen || total > limits.totalBytes) throw bomb(total, file.bytesRead);
      yield chunk;
      onRead(file.bytesRead, size, 'bytes');
    }
  } catch (error) {
    if (error instanceof ArchiveError || (error instanceof Error && 'syscall' in error)) throw error;
    // The xz library only gives numbers.
    throw damaged(kind === 'xz' || !(error instanceof Error) ? 'corrupt or cut off' : error.message);
  } finally {
    file.destroy();
  }
}

function decompress(file: Readable, kind: Unpacking['kind']): AsyncIterable<Uint8Array> {
  switch (kind) {
    case 'tar':
      return file;
    case 'gzip':
      // Failures reach whoever reads the last stream.
      return pipeline(file, createGunzip({ chunkSize: 1 << 17 }), () => undefined);
    case 'xz':
      return new xz.XzReadableStream(Readable.toWeb(file) as ReadableStream<Uint8Array>) as unknown as AsyncIterable<Uint8Array>;
  }
}
