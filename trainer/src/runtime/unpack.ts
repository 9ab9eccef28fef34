// Takes the shared libraries, and the few files that XLA needs beside them, out of wheels.
import { createWriteStream } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
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

interface UnpackOptions extends Pick<InstallOptions, 'onProgress' | 'signal'> {
  readonly wheels: readonly string[];
  readonly folder: string;
}

/** Unpacks into `folder`, one file at a time. Only paths that match the list above are ever written. */
export async function unpackLibraries({ wheels, folder, onProgress, signal }: UnpackOptions): Promise<void> {
  const open = await Promise.all(wheels.map((path) => openPromise(path, { autoClose: false })));
  try {
    const lists = await Promise.all(open.map(wantedEntries));
    const totalMegabytes = lists.flat().reduce((sum, e) => sum + e.uncompressedSize, 0) / 1e6;
    let done = 0;
    for (const [i, entries] of lists.entries()) {
      for (const entry of entries) {
        signal?.throwIfAborted();
        await extract(open[i]!, entry, folder);
        done += entry.uncompressedSize;
        onProgress?.({ what: 'unpack', doneMegabytes: done / 1e6, totalMegabytes });
      }
    }
  } finally {
    for (const zip of open) zip.close();
  }
}

async function wantedEntries(zip: ZipFile): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of zip.eachEntry()) if (WANTED.some((pattern) => pattern.test(entry.fileName))) entries.push(entry);
  return entries;
}

async function extract(zip: ZipFile, entry: Entry, folder: string): Promise<void> {
  const target = join(folder, entry.fileName);
  await mkdir(dirname(target), { recursive: true });
  await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target));
  if (entry.fileName.includes('/bin/')) await chmod(target, 0o755);
}
