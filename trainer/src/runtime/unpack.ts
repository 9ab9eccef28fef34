// Takes the shared libraries, and the few files that XLA needs beside them, out of wheels.
import { createWriteStream } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import type { InstallOptions } from './library.js';

/** TensorFlow's own libraries; CUDA's, laid out as pip does, which is where TensorFlow looks for them; XLA's assembler. */
const WANTED = [
  /^tensorflow\/libtensorflow[\w.]*$/,
  /^nvidia\/[\w]+\/lib\/[^/]+$/,
  /^nvidia\/cuda_nvcc\/(bin\/(ptxas|nvlink|fatbinary)|nvvm\/libdevice\/[\w.]+)$/,
];
/** Inflating is what takes the time; Node's thread pool has four threads. */
const AT_ONCE = Math.min(4, availableParallelism());

interface UnpackOptions extends Pick<InstallOptions, 'onProgress' | 'signal'> {
  readonly wheels: readonly string[];
  readonly folder: string;
}

/**
 * Unpacks into `folder` and removes each wheel once it is unpacked, so that both never lie there in full. Only paths that
 * match the list above are ever written.
 */
export async function unpackLibraries({ wheels, folder, onProgress, signal }: UnpackOptions): Promise<void> {
  const open = await Promise.all(wheels.map((path) => openPromise(path, { autoClose: false })));
  try {
    const lists = await Promise.all(open.map(wantedEntries));
    const totalMegabytes = lists.flat().reduce((sum, e) => sum + e.uncompressedSize, 0) / 1e6;
    let done = 0;
    const onBytes = (bytes: number): void => {
      done += bytes;
      onProgress?.({ what: 'unpack', doneMegabytes: done / 1e6, totalMegabytes });
    };
    for (const [i, entries] of lists.entries()) {
      const waiting = entries.values();
      const extractAll = async (): Promise<void> => {
        for (const entry of waiting) await extract(open[i]!, entry, { folder, onBytes, ...(signal && { signal }) });
      };
      await settleAll(Array.from({ length: AT_ONCE }, extractAll));
      await rm(wheels[i]!);
    }
  } finally {
    for (const zip of open) zip.close();
  }
}

/** Waits for all, then throws the first failure: nothing is still being written when the caller cleans up. */
async function settleAll(promises: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) if (result.status === 'rejected') throw result.reason;
}

async function wantedEntries(zip: ZipFile): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of zip.eachEntry()) if (WANTED.some((pattern) => pattern.test(entry.fileName))) entries.push(entry);
  return entries;
}

interface ExtractOptions {
  readonly folder: string;
  readonly onBytes: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

async function extract(zip: ZipFile, entry: Entry, { folder, onBytes, signal }: ExtractOptions): Promise<void> {
  const target = join(folder, entry.fileName);
  await mkdir(dirname(target), { recursive: true });
  const source = await zip.openReadStreamPromise(entry);
  source.on('data', (chunk: Buffer) => onBytes(chunk.length));
  await pipeline(source, createWriteStream(target), { signal });
  if (entry.fileName.includes('/bin/')) await chmod(target, 0o755);
}
