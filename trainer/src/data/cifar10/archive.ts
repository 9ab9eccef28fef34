// CIFAR-10 in its official binary form: six files of 10,000 records, one label byte and 3,072 planar bytes each.
// https://www.cs.toronto.edu/~kriz/cifar.html
import { posix } from 'node:path';
import { environmentError } from '../../errors.js';
import type { LoadOptions } from '../contract.js';
import { openArchive } from '../files/archive.js';
import { ArchiveError } from '../files/contract.js';
import type { PackedSet, Packing } from '../pack.js';

const CLASSES = ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'];
const SIDE = 32;
const PLANE_BYTES = SIDE * SIDE;
const RECORD_BYTES = 1 + 3 * PLANE_BYTES;
const RECORDS = 10_000;
/** Files of each split in the order of their images. */
const FILES: Readonly<Record<'train' | 'test', readonly string[]>> = {
  train: [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`),
  test: ['test_batch.bin'],
};

/**
 * Reads cifar-10-binary.tar.gz.
 *
 * @throws TrainerError (environment) where it is not that archive, or damaged; the system's error where it cannot be read.
 */
export async function readCifar10(
  path: string,
  { onProgress, signal }: Pick<LoadOptions, 'onProgress' | 'signal'>,
): Promise<Packing> {
  const sets = { train: emptySet(FILES.train.length), test: emptySet(FILES.test.length) };
  const missing = new Set([...FILES.train, ...FILES.test]);
  const onRead = (done: number, total: number, unit: 'bytes' | 'images'): void =>
    onProgress?.({ what: 'unpacking CIFAR-10', done, total, unit });
  try {
    const archive = await openArchive(path);
    for await (const { path: name, bytes } of archive.entries((p) => missing.has(posix.basename(p)), onRead)) {
      signal?.throwIfAborted();
      if (bytes === undefined) continue;
      const file = posix.basename(name);
      missing.delete(file);
      const split = FILES.train.includes(file) ? 'train' : 'test';
      unpackRecords(bytes, file, sets[split], FILES[split].indexOf(file) * RECORDS);
    }
    const [absent] = missing;
    if (absent !== undefined) throw new ArchiveError(`lacks ${absent}`);
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    throw environmentError(`${path} ${error.message}; remove it and repeat, or put the official cifar-10-binary.tar.gz there`);
  }
  return { name: 'cifar10', classes: CLASSES, notices: [], skipped: [], ...sets };
}

interface OpenSet extends PackedSet {
  readonly images: [Uint8Array];
}

function emptySet(files: number): OpenSet {
  const count = files * RECORDS;
  return {
    count,
    height: SIDE,
    width: SIDE,
    labels: new Int32Array(count),
    images: [new Uint8Array(count * 3 * PLANE_BYTES)],
  };
}

/** Records of one file to images `first`.. of the set: rows of red, then green, then blue become pixels. */
function unpackRecords(bytes: Uint8Array, file: string, { labels, images: [images] }: OpenSet, first: number): void {
  if (bytes.length !== RECORDS * RECORD_BYTES) {
    throw new ArchiveError(`holds a ${file} of ${bytes.length} bytes instead of ${RECORDS * RECORD_BYTES}`);
  }
  for (let record = 0; record < RECORDS; record++) {
    let from = record * RECORD_BYTES;
    const label = bytes[from++]!;
    if (label >= CLASSES.length)
      throw new ArchiveError(`holds label ${label} in ${file}, where 0 to ${CLASSES.length - 1} may stand`);
    labels[first + record] = label;
    let to = (first + record) * 3 * PLANE_BYTES;
    for (const end = from + PLANE_BYTES; from < end; from++, to += 3) {
      images[to] = bytes[from]!;
      images[to + 1] = bytes[from + PLANE_BYTES]!;
      images[to + 2] = bytes[from + 2 * PLANE_BYTES]!;
    }
  }
}
