// CIFAR-10: from the cache, a file placed by hand, or the official download.
import { join } from 'node:path';
import { environmentError, TrainerError } from '../../errors.js';
import type { Dataset, LoadOptions } from '../contract.js';
import { dataFolder, exists } from '../disk.js';
import { type DownloadLimits, download } from '../download.js';
import { packed, toDataset } from '../packed.js';
import { readCifar10 } from './archive.js';

/** Counts up whenever the packed form of these images changes. */
const VERSION = 1;
const FILE = 'cifar-10-binary.tar.gz';
const URL = `https://www.cs.toronto.edu/~kriz/${FILE}`;

/** Where the archive comes from, and its published checksum. Tests bring their own. */
export interface Cifar10Origin {
  readonly url: string;
  readonly md5: string;
  readonly limits?: DownloadLimits;
}

/** TRAINER_CIFAR10_URL names a mirror of the same file. */
const official = (): Cifar10Origin => ({
  url: process.env['TRAINER_CIFAR10_URL'] || URL,
  md5: 'c32a1d4ab5d03f1284b67883e8d87530',
});

/** @throws TrainerError (environment) where it can neither be found nor downloaded: says how to place the file by hand. */
export async function loadCifar10(options: LoadOptions, origin: Cifar10Origin = official()): Promise<Dataset> {
  const folder = await dataFolder(options.cacheDir);
  const archive = join(folder, FILE);
  let downloaded = false;
  const pack = await packed(join(folder, `cifar10-v${VERSION}.pack`), options, async () => {
    if (!(await exists(archive))) {
      await fetchArchive(archive, options, origin);
      downloaded = true;
    }
    return readCifar10(archive, options);
  });
  return toDataset(pack, downloaded ? 'downloaded' : 'cache');
}

async function fetchArchive(
  path: string,
  { onProgress, signal }: LoadOptions,
  { url, md5, limits }: Cifar10Origin,
): Promise<void> {
  try {
    await download({
      url,
      md5,
      path,
      title: 'CIFAR-10',
      ...(limits && { limits }),
      ...(onProgress && { onProgress }),
      ...(signal && { signal }),
    });
  } catch (error) {
    if (!(error instanceof TrainerError)) throw error;
    throw environmentError(
      `CIFAR-10 cannot be downloaded: ${error.message}. Place ${FILE} (MD5 ${md5}) at ${path} by hand, or use --data shapes10 or --data PATH`,
      { cause: error },
    );
  }
}
