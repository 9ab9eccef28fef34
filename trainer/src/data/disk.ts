// The cache folder on disk: files that exist whole or not at all, and failures said in a line that the user can act on.
import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { environmentError, TrainerError } from '../errors.js';
import { DISK_CAUSES, errorCode, TEMPORARY_PREFIX } from '../files.js';

/** An unfinished file this old belongs to no process that still writes it. */
const STALE_MS = 24 * 60 * 60 * 1000;

/** A failed operation on the cache as an error of exit code 3; errors of ours and bugs pass unchanged. */
export function cacheError(action: string, path: string, error: unknown): unknown {
  const code = errorCode(error);
  if (error instanceof TrainerError || !(code in DISK_CAUSES)) return error;
  const cause = DISK_CAUSES[code as keyof typeof DISK_CAUSES];
  return environmentError(
    `cannot ${action} ${path}: ${cause}; make room or grant access there, or set TRAINER_CACHE_DIR to a folder elsewhere`,
    { cause: error },
  );
}

/** `<cacheDir>/data`, made where it is missing. */
export async function dataFolder(cacheDir: string): Promise<string> {
  const folder = join(cacheDir, 'data');
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw cacheError('make the cache folder', folder, errorCode(error) === 'EEXIST' ? notAFolder(error) : error);
  }
  return folder;
}

const notAFolder = (error: unknown): unknown => Object.assign(new Error('not a folder', { cause: error }), { code: 'ENOTDIR' });

/**
 * Lets `write` fill a temporary file beside `path`, then puts it in place in one step. On failure nothing stays behind. It
 * does not wait for the disk: packs carry a checksum, so that one lost to a power failure is only made again.
 */
export async function writeWhole(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const folder = dirname(path);
  await removeStale(folder);
  const temporary = join(folder, `${TEMPORARY_PREFIX}${process.pid}-${randomBytes(4).toString('hex')}-${basename(path)}`);
  try {
    const file = await open(temporary, 'wx');
    try {
      await write(file);
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw cacheError('write', path, error);
  }
}

/** What a killed process left: it never reached its own clean-up. */
async function removeStale(folder: string): Promise<void> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(TEMPORARY_PREFIX));
  for (const name of names) {
    const path = join(folder, name);
    const age = await stat(path).then(
      (s) => Date.now() - s.mtimeMs,
      () => 0,
    );
    if (age > STALE_MS) await rm(path, { force: true }).catch(() => undefined);
  }
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
