// Turns what the operating system says about a file into the one line that a user can act on.
import { environmentError, TrainerError } from '../errors.js';
import { errorCode } from './file-system.js';

const CAUSES: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the disk; free some, or choose a folder on another disk with --out',
  EDQUOT: 'your disk quota is used up; free some, or choose a folder on another disk with --out',
  EROFS: 'the file system is read-only; choose a folder you can write to with --out',
  EACCES: 'permission denied; make the folder writable, or choose another with --out',
  EPERM: 'not permitted; make the folder writable, or choose another with --out',
  EIO: 'the disk reported an input/output error; check it, or choose a folder on another disk with --out',
  ENOTDIR: 'a file stands where a folder is needed; move it, or choose another folder with --out',
  ENOENT: 'it does not exist; check the path',
  EISDIR: 'a folder stands where a file is needed; move it, or choose another folder with --out',
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
