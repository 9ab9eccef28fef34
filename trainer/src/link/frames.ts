// Messages in a stream of bytes: a length (4 bytes, big-endian), then that many bytes of msgpack.
import { type Encodable, encode } from '@trainer/protocol';

export const DEFAULT_MAX_FRAME_BYTES = 64 * 2 ** 20;

const HEADER_BYTES = 4;
const FIRST_CAPACITY = 64 * 1024;

/** A frame has a length that none may have. */
export class BadFrame extends Error {
  override readonly name = 'BadFrame';
  constructor(bytes: number, maxBytes: number) {
    super(`a message of ${bytes} bytes: 1 to ${maxBytes} are taken`);
  }
}

/**
 * @param message of what `encode` takes; an interface's type cannot say so
 * @throws BadFrame
 */
export function encodeFrame(message: unknown, maxBytes = DEFAULT_MAX_FRAME_BYTES): Uint8Array {
  const payload = encode(message as Encodable);
  if (payload.length > maxBytes) throw new BadFrame(payload.length, maxBytes);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32BE(payload.length);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** Cuts payloads out of a stream that arrives in chunks split anywhere. */
export class FrameReader {
  readonly #maxBytes: number;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  /** Length of the payload under way; undefined while its header is. */
  #length: number | undefined;
  #payload = new Uint8Array(0);
  #payloadBytes = 0;

  constructor(maxBytes = DEFAULT_MAX_FRAME_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes in the middle of a frame have been taken. */
  get unfinished(): boolean {
    return this.#headerBytes > 0;
  }

  /**
   * The payloads that a chunk completes, in order; some may be views of the chunk. To be iterated to its end, or the reader
   * dropped.
   * @throws BadFrame at a header that announces nothing or too much, before memory is taken for it; the reader is of no use then
   */
  *push(chunk: Uint8Array): Generator<Uint8Array, void> {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#length === undefined) offset += this.#takeHeader(chunk, offset);
      if (this.#length === undefined) return;
      const wanted = this.#length - this.#payloadBytes;
      const part = chunk.subarray(offset, offset + wanted);
      offset += part.length;
      if (part.length < wanted) this.#keep(part);
      else yield this.#finish(part);
    }
  }

  #takeHeader(chunk: Uint8Array, offset: number): number {
    const part = chunk.subarray(offset, offset + HEADER_BYTES - this.#headerBytes);
    this.#header.set(part, this.#headerBytes);
    this.#headerBytes += part.length;
    if (this.#headerBytes < HEADER_BYTES) return part.length;
    const length = new DataView(this.#header.buffer).getUint32(0);
    if (length === 0 || length > this.#maxBytes) throw new BadFrame(length, this.#maxBytes);
    this.#length = length;
    return part.length;
  }

  /** Memory grows with what has arrived, not with what was announced. */
  #keep(part: Uint8Array): void {
    const needed = this.#payloadBytes + part.length;
    if (needed > this.#payload.length) {
      const capacity = Math.min(this.#length!, Math.max(needed, 2 * this.#payload.length, FIRST_CAPACITY));
      const grown = new Uint8Array(capacity);
      grown.set(this.#payload.subarray(0, this.#payloadBytes));
      this.#payload = grown;
    }
    this.#payload.set(part, this.#payloadBytes);
    this.#payloadBytes = needed;
  }

  #finish(part: Uint8Array): Uint8Array {
    const whole = this.#payloadBytes === 0;
    if (!whole) this.#keep(part);
    const payload = whole ? part : this.#payload.subarray(0, this.#payloadBytes);
    this.#headerBytes = 0;
    this.#length = undefined;
    this.#payload = new Uint8Array(0);
    this.#payloadBytes = 0;
    return payload;
  }
}
