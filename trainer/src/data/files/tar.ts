// Tar archives, read in one go without unpacking to disk.
import { Parser, type ReadEntry } from 'tar';
import { ArchiveError, type ArchiveLimits, damaged, printable, type SourceEntry, safePath } from './contract.js';

const FILES = new Set(['File', 'OldFile', 'ContiguousFile']);
const FOLDERS = new Set(['Directory', 'GNUDumpDir']);
const BLOCK_BYTES = 512;

/**
 * The entries of an uncompressed tar stream. Links, devices and other special entries are passed over.
 *
 * @throws ArchiveError where it is damaged, unsafe or over the limits.
 */
export async function* readTar(
  chunks: AsyncIterable<Uint8Array>,
  wanted: (path: string) => boolean,
  limits: ArchiveLimits,
): AsyncGenerator<SourceEntry> {
  const reading = new Reading(wanted, limits);
  for await (const chunk of atLeastOneBlock(chunks)) {
    // What follows the end mark is padding, but read, for the checksums of the compression.
    if (!reading.ended) yield* reading.take(chunk);
  }
  yield* reading.finish();
}

/** Joins first chunks: the parser would unpack a further gzip layer, past our limits, so the first block is looked at. */
async function* atLeastOneBlock(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let first: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (first === undefined) {
      yield bytes;
    } else {
      first = Buffer.concat([first, bytes]);
      if (first.length < BLOCK_BYTES) continue;
      if (first[0] === 0x1f && first[1] === 0x8b) throw new ArchiveError('is compressed twice');
      yield first;
      first = undefined;
    }
  }
  if (first !== undefined) throw new ArchiveError('holds no tar archive');
}

/** The parser's events, collected: with data listeners attached it works through each chunk before `write` returns. */
class Reading {
  /** The end mark, two empty blocks, has come. */
  ended = false;
  /** At least one of them has: some writers leave it at that. */
  #marked = false;
  #ready: SourceEntry[] = [];
  #failure: ArchiveError | undefined;
  #count = 0;
  readonly #parser: Parser;

  constructor(wanted: (path: string) => boolean, limits: ArchiveLimits) {
    this.#parser = new Parser({
      zstd: false,
      filter: (path, entry) => this.#guard(() => this.#keep(path, entry as ReadEntry, wanted, limits)),
      onReadEntry: (entry) => this.#collect(entry),
      onwarn: (_code, message) => this.#fail(damaged(String(message))),
    });
    this.#parser.on('nullBlock', () => {
      this.#marked = true;
    });
    this.#parser.on('eof', () => {
      this.ended = true;
    });
  }

  *take(chunk: Buffer): Generator<SourceEntry> {
    this.#parser.write(chunk);
    yield* this.#flush();
  }

  *finish(): Generator<SourceEntry> {
    this.#parser.end();
    if (!this.#marked) this.#fail(damaged('cut off'));
    yield* this.#flush();
  }

  *#flush(): Generator<SourceEntry> {
    const ready = this.#ready;
    this.#ready = [];
    yield* ready;
    if (this.#failure) throw this.#failure;
  }

  #keep(path: string, entry: ReadEntry, wanted: (path: string) => boolean, limits: ArchiveLimits): boolean {
    if (++this.#count > limits.files) throw new ArchiveError(`holds more than ${limits.files} files`);
    const name = safePath(path);
    if (name === '') return false;
    if (FOLDERS.has(entry.type)) this.#ready.push({ path: name, folder: true, bytes: undefined });
    if (!FILES.has(entry.type)) return false;
    if (!wanted(name)) {
      this.#ready.push({ path: name, folder: false, bytes: undefined });
      return false;
    }
    if (entry.size > limits.fileBytes) {
      throw new ArchiveError(`holds a file of ${entry.size} bytes (${printable(name)}), more than ${limits.fileBytes}`);
    }
    return true;
  }

  #collect(entry: ReadEntry): void {
    const bytes = Buffer.allocUnsafeSlow(entry.size);
    let at = 0;
    entry.on('data', (data) => {
      at += data.copy(bytes, at);
    });
    entry.on('end', () => {
      if (at === entry.size) this.#ready.push({ path: safePath(entry.path), folder: false, bytes });
    });
  }

  /** The parser must not be left by an exception. */
  #guard(keep: () => boolean): boolean {
    try {
      return keep();
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      this.#fail(error);
      return false;
    }
  }

  #fail(error: ArchiveError): void {
    this.#failure ??= error;
  }
}
