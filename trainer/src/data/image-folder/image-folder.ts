// A user's own images: a folder or archive of train/CLASS/ and test/CLASS/.
import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { usageError } from '../../errors.js';
import { errorCode } from '../../files.js';
import type { Dataset, LoadOptions } from '../contract.js';
import { dataFolder } from '../disk.js';
import { openArchive } from '../files/archive.js';
import { ArchiveError, type FileSource, printable } from '../files/contract.js';
import { openFolder } from '../files/folder.js';
import { packed, toDataset } from '../packed.js';
import { importImages } from './import.js';

/** Counts up whenever the same files would be packed differently. */
const VERSION = 1;

/** @throws TrainerError (usage) that names the path and what is wrong with it or in it. */
export async function loadImageFolder(path: string, options: LoadOptions): Promise<Dataset> {
  const where = path;
  const name = basename(resolve(path));
  try {
    const source = await openSource(path);
    const folder = await dataFolder(options.cacheDir);
    const ofPath = `images-${digest(resolve(path))}-`;
    const file = `${ofPath}${digest(JSON.stringify([VERSION, source.key]))}.pack`;
    const pack = await packed(join(folder, file), options, () => importImages(source, { ...options, where, name }));
    await removeEarlier(folder, ofPath, file);
    if (pack.skipped.length > 0) tellSkipped(where, pack.skipped, options);
    for (const notice of pack.notices) options.onNotice?.(`${where}: ${notice}`);
    return toDataset(pack, path);
  } catch (error) {
    throw error instanceof ArchiveError ? usageError(`${where} ${error.message}`, { cause: error }) : unreadable(where, error);
  }
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);

/** Packs of what the path held before would only fill the disk. */
async function removeEarlier(folder: string, prefix: string, keep: string): Promise<void> {
  const earlier = (await readdir(folder)).filter((name) => name.startsWith(prefix) && name !== keep);
  for (const name of earlier) await rm(join(folder, name), { force: true }).catch(() => undefined);
}

async function openSource(path: string): Promise<FileSource> {
  const found = await stat(path);
  if (found.isDirectory()) return openFolder(path);
  if (!found.isFile()) throw new ArchiveError('is neither a folder nor a file');
  return openArchive(path);
}

/** What the operating system says about the user's path; anything else passes unchanged. */
function unreadable(where: string, error: unknown): unknown {
  switch (errorCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return usageError(
        `--data ${where}: no such file or folder; give cifar10, shapes10, auto, or the path of a folder or archive`,
        {
          cause: error,
        },
      );
    case 'EACCES':
    case 'EPERM':
      return usageError(`--data ${where}: permission denied; make it readable`, { cause: error });
    default:
      return error;
  }
}

/** The pack leaves them out; without the flag that is no more wanted than it was when the images were read. */
function tellSkipped(where: string, skipped: readonly string[], { skipBadImages, onNotice }: LoadOptions): void {
  const names = skipped.slice(0, 3).map(printable).join(', ') + (skipped.length > 3 ? ', ...' : '');
  const images = skipped.length === 1 ? '1 image' : `${skipped.length} images`;
  if (!skipBadImages) {
    throw usageError(
      `${where}: ${images} cannot be read (${names}): replace or remove them, or leave them out with --skip-bad-images`,
    );
  }
  onNotice?.(`${where}: ${images} that cannot be read left out: ${names}`);
}
