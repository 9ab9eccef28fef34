// What every room that writes files says of them: errors of the operating system, and names of what is unfinished.

/** The operating system's name of an error ('ENOSPC'), or '' for any other error. */
export const errorCode = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

/** What a user's disk or rights can be short of, by the system's name, to be completed with how to mend it. */
export const DISK_CAUSES = {
  ENOSPC: 'no space left on the disk',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EIO: 'the disk reported an input/output error',
  ENOTDIR: 'a file stands where a folder is needed',
} as const;

/** Prefix of everything unfinished; whoever finds such a name, and knows that nobody writes it any more, may remove it. */
export const TEMPORARY_PREFIX = '.tmp-';
