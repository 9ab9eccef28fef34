// Folders and archives as a stream of files: what image sets are read from.

/** One file or folder in a source. */
export interface SourceEntry {
  /** Relative, with `/`, without a leading `./`; folders without a trailing `/`. Never leaves the source. */
  readonly path: string;
  readonly folder: boolean;
  /** undefined for a folder, and for a file that is not wanted. */
  readonly bytes: Uint8Array | undefined;
}

/** `total` entries or bytes, as the source counts. */
export type OnRead = (done: number, total: number, unit: 'bytes' | 'images') => void;

export interface FileSource {
  /** Differs whenever the content may: made of path, sizes and times of change. */
  readonly key: string;
  /** All entries, each time from the start. Only files that `wanted` accepts are read. Errors of the source are ArchiveErrors. */
  entries(wanted: (path: string) => boolean, onRead: OnRead): AsyncIterable<SourceEntry>;
}

/** What an archive may ask of this machine before it is taken for a bomb. */
export interface ArchiveLimits {
  readonly files: number;
  readonly fileBytes: number;
  readonly totalBytes: number;
  /** Uncompressed by compressed bytes, looked at once `ratioFromBytes` have come out. Photographs hardly shrink at all. */
  readonly ratio: number;
  readonly ratioFromBytes: number;
}

export const ARCHIVE_LIMITS: ArchiveLimits = {
  files: 5_000_000,
  fileBytes: 1 << 26,
  totalBytes: 2 ** 37,
  ratio: 100,
  ratioFromBytes: 1 << 28,
};

/** Why a source cannot be read, to be completed with its name: 'is damaged (unexpected end)'. */
export class ArchiveError extends Error {}

export const damaged = (detail: string): ArchiveError =>
  new ArchiveError(`is damaged (${printable(detail)}): download or make it again`);

export const bomb = (unpackedBytes: number, packedBytes: number): ArchiveError =>
  new ArchiveError(
    `unpacks to more than ${unpackedBytes} bytes out of ${packedBytes}, like a bomb: if you trust it, unpack it yourself and give the folder`,
  );

/** Text from an archive, fit for one line on a terminal. */
export const printable = (text: string): string => text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, '?').slice(0, 200);

/** @throws ArchiveError for a path that would leave the folder it is unpacked to; we unpack nothing, but trust no such archive. */
export function safePath(path: string): string {
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (/^([/\\]|[a-z]:)/i.test(path) || segments.includes('..') || path.includes('\0')) {
    throw new ArchiveError(`holds a path that leaves the archive (${printable(path)}): do not trust it`);
  }
  return segments.join('/');
}
