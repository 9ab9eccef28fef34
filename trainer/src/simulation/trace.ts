// What happened in a simulation, line by line: the same seed gives the same lines, to the bit.
import { crc32 } from 'node:zlib';
import type { Clock } from '../time.js';

const LONGEST = 160;

export class Trace {
  readonly #clock: Clock;
  readonly #lines: string[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(what: string): void {
    this.#lines.push(`${this.#clock.now().toFixed(3)} ${what}`);
  }

  get lines(): readonly string[] {
    return this.#lines;
  }
}

/** A message in one short line. Numbers in typed arrays are told by a checksum, as is what is cut off. */
export function describe(message: unknown): string {
  const text = JSON.stringify(message, summarize) ?? String(message);
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}...#${hex(crc32(text))}`;
}

// Called on the holder, whose own value is not yet what its toJSON makes of it.
function summarize(this: Record<string, unknown>, key: string, value: unknown): unknown {
  // How a stack is written depends on what ran before.
  if (key === 'stack') return undefined;
  const original = this[key];
  if (ArrayBuffer.isView(original)) {
    const bytes = new Uint8Array(original.buffer, original.byteOffset, original.byteLength);
    return `${original.constructor.name}(${bytes.length} bytes)#${hex(crc32(bytes))}`;
  }
  if (original instanceof SharedArrayBuffer || original instanceof ArrayBuffer) return `${original.byteLength} bytes of memory`;
  if (original instanceof Error) return `${original.name}: ${original.message}`;
  return typeof value === 'bigint' ? `${value}n` : value;
}

const hex = (checksum: number): string => checksum.toString(16).padStart(8, '0');
