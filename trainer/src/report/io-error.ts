// Turns what the operating system says about a file into the one line that a user can act on.
import { environmentError, TrainerError } from '../errors.js';
import { DISK_CAUSES, errorCode } from '../files.js';

const CAUSES: Readonly<Record<string, string>> = {
  ENOSPC: `${DISK_CAUSES.ENOSPC}; free some, or choose a folder on another disk with --out`,
  EDQUOT: `${DISK_CAUSES.EDQUOT}; free some, or choose a folder on another disk with --out`,
  EROFS: `${DISK_CAUSES.EROFS}; choose a folder you can write to with --out`,
  EACCES: `${DISK_CAUSES.EACCES}; make the folder writable, or choose another with --out`,
  EPERM: `${DISK_CAUSES.EPERM}; make the folder writable, or choose another with --out`,
  EIO: `${DISK_CAUSES.EIO}; check it, or choose a folder on another disk with --out`,
  ENOTDIR: `${DISK_CAUSES.ENOTDIR}; move it, or choose another folder with --out`,
  ENOENT: 'it does not exist; check the path',
  EISDIR: 'a folder stands where a file is needed; move it, or choose another folder with --out',
  EFBIG: 'the file would be larger than it may be; raise the limit with "ulimit -f"',
  EMFILE: 'too many files are open; raise the limit with "ulimit -n"',
};

/**
 * A failed file operation as an error of exit code 3; errors of ours and bugs pass unchanged.
 * `action` reads like 'write the checkpoint'.
 */
export function ioError(action: string, path: string, error: unknown): unknown {
  if (error instanceof TrainerError) return error;
  const code = errorCode(error);
  if (code === '') return error;
  return environmentError(`cannot ${action} ${path}: ${CAUSES[code] ?? `${code}; check the disk and the path`}`, {
    cause: error,
  });
}
