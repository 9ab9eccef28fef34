// Reads a text file line by line in bounded memory, and says where each line ends.
import { createReadStream } from 'node:fs';

export interface Line {
  /** Without its line feed. */
  readonly text: string;
  /** Bytes from the start of the file to behind the line feed. */
  readonly end: number;
  /** False for a last line without line feed: one that was torn by a crash. */
  readonly complete: boolean;
}

const LINE_FEED = 10;

/** Lines of a UTF-8 file. A failure to read is thrown as the operating system's error. */
export async function* readLines(path: string): AsyncGenerator<Line> {
  let carry: Buffer = Buffer.alloc(0);
  let end = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18 })) {
    const bytes: Buffer = carry.length === 0 ? (chunk as Buffer) : Buffer.concat([carry, chunk as Buffer]);
    let start = 0;
    for (let stop = bytes.indexOf(LINE_FEED); stop >= 0; stop = bytes.indexOf(LINE_FEED, start)) {
      end += stop + 1 - start;
      yield { text: bytes.toString('utf8', start, stop), end, complete: true };
      start = stop + 1;
    }
    carry = bytes.subarray(start);
  }
  if (carry.length > 0) yield { text: carry.toString('utf8'), end: end + carry.length, complete: false };
}
