// Packed images on disk, one file per dataset, laid out so that loading is a single read:
//
//   0   'TRNPACK1'                       8 bytes
//   8   CRC-32 of bytes 48.. then 12..48 uint32, little-endian as all numbers here
//   12  length of the header             uint32
//   16  the dataset's SHA-256            32 bytes
//   48  header, JSON, padded with spaces to a multiple of 8
//       labels of train and test (int32), images of train and test (uint8, NHWC)
import { createHash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import * as z from 'zod/mini';
import { errorCode } from '../files.js';
import type { ImageSet } from './contract.js';
import { cacheError, writeWhole } from './disk.js';

const MAGIC = 'TRNPACK1';
const PREAMBLE_BYTES = 48;
/** Bytes read or written at once: one call of the operating system takes at most 2 GiB. */
const PIECE_BYTES = 1 << 26;

const shape = z.object({ count: z.int(), height: z.int(), width: z.int() });
const header = z.object({
  name: z.string(),
  classes: z.array(z.string()),
  train: shape,
  test: shape,
  /** Lines to show whenever this data is used. */
  notices: z.array(z.string()),
  /** Names of unreadable images that were left out. */
  skipped: z.array(z.string()),
});
type Header = z.infer<typeof header>;

/** Images in pieces, in order, so that they need not lie in memory in one piece. */
export interface PackedSet extends z.infer<typeof shape> {
  readonly labels: Int32Array;
  readonly images: Iterable<Uint8Array>;
}

export interface Packing extends Omit<Header, 'train' | 'test'> {
  readonly train: PackedSet;
  readonly test: PackedSet;
}

export interface Pack extends Omit<Header, 'train' | 'test'> {
  readonly train: ImageSet;
  readonly test: ImageSet;
  readonly hash: string;
}

/** Writes a pack in one step: the file is whole or not there. */
export async function writePack(path: string, packing: Packing, signal?: AbortSignal): Promise<void> {
  const { train, test } = packing;
  const text = JSON.stringify({ ...packing, train: shapeOf(train), test: shapeOf(test) } satisfies Header);
  const json = Buffer.from(text.padEnd(text.length + ((8 - (Buffer.byteLength(text) % 8)) % 8)));
  const hash = createHash('sha256').update(identity(packing));
  await writeWhole(path, async (file) => {
    let at = PREAMBLE_BYTES;
    let crc = 0;
    const append = async (bytes: Uint8Array): Promise<void> => {
      signal?.throwIfAborted();
      crc = crc32(bytes, crc);
      await writeAt(file, bytes, at);
      at += bytes.length;
    };
    await append(json);
    for (const bytes of body(train, test)) {
      hash.update(bytes);
      await append(bytes);
    }
    await writeAt(file, preamble(json.length, crc, hash.digest()), 0);
  });
}

function preamble(headerBytes: number, crcOfRest: number, digest: Uint8Array): Buffer {
  const bytes = Buffer.alloc(PREAMBLE_BYTES);
  bytes.write(MAGIC, 'latin1');
  bytes.writeUInt32LE(headerBytes, 12);
  bytes.set(digest, 16);
  bytes.writeUInt32LE(crc32(bytes.subarray(12), crcOfRest), 8);
  return bytes;
}

const shapeOf = ({ count, height, width }: PackedSet): z.infer<typeof shape> => ({ count, height, width });

/** What the hash covers before labels and images. */
function identity({ classes, train, test }: Packing): string {
  const numbers = ({ count, height, width }: PackedSet): number[] => [count, height, width];
  return `${JSON.stringify({ classes, train: numbers(train), test: numbers(test) })}\n`;
}

function* body(train: PackedSet, test: PackedSet): Iterable<Uint8Array> {
  for (const { labels } of [train, test]) yield new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength);
  yield* train.images;
  yield* test.images;
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const length = Math.min(PIECE_BYTES, bytes.length - done);
    done += (await file.write(bytes, done, length, position + done)).bytesWritten;
  }
}

/** Reads a pack; undefined where there is none. A damaged one is removed and told of, so that it is made again. */
export async function readPack(path: string, onNotice?: (line: string) => void): Promise<Pack | undefined> {
  const bytes = await readAll(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw cacheError('read', path, error);
  });
  if (bytes === undefined) return undefined;
  const pack = parse(bytes);
  if (pack === undefined) {
    onNotice?.(`${path} is damaged; it is made again`);
    await rm(path, { force: true }).catch(() => undefined);
  }
  return pack;
}

async function readAll(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    // One allocation for everything: the image sets are views of it, and all threads see them without a copy.
    const bytes = Buffer.from(new SharedArrayBuffer(size));
    for (let done = 0; done < size; ) {
      const { bytesRead } = await file.read(bytes, done, Math.min(PIECE_BYTES, size - done), done);
      if (bytesRead === 0) return bytes.subarray(0, done);
      done += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}

/** undefined where anything is not as written. */
function parse(bytes: Buffer): Pack | undefined {
  if (bytes.length < PREAMBLE_BYTES || bytes.toString('latin1', 0, 8) !== MAGIC) return undefined;
  const crc = crc32(bytes.subarray(12, PREAMBLE_BYTES), crc32(bytes.subarray(PREAMBLE_BYTES)));
  if (crc !== bytes.readUInt32LE(8)) return undefined;
  const end = PREAMBLE_BYTES + bytes.readUInt32LE(12);
  if (end > bytes.length) return undefined;
  const parsed = header.safeParse(JSON.parse(bytes.toString('utf8', PREAMBLE_BYTES, end)));
  if (!parsed.success) return undefined;
  const { train, test, ...rest } = parsed.data;
  const images = end + 4 * (train.count + test.count);
  const testImages = images + imageBytes(train);
  if (testImages + imageBytes(test) !== bytes.length) return undefined;
  return {
    ...rest,
    train: view(bytes, train, end, images),
    test: view(bytes, test, end + 4 * train.count, testImages),
    hash: bytes.toString('hex', 16, PREAMBLE_BYTES),
  };
}

const imageBytes = ({ count, height, width }: z.infer<typeof shape>): number => count * height * width * 3;

function view(bytes: Buffer, set: z.infer<typeof shape>, labels: number, images: number): ImageSet {
  return {
    ...set,
    labels: new Int32Array(bytes.buffer, bytes.byteOffset + labels, set.count),
    images: new Uint8Array(bytes.buffer, bytes.byteOffset + images, imageBytes(set)),
  };
}
