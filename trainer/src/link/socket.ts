// A channel over a stream of bytes, such as the socket between a process and its child.
import type { Duplex } from 'node:stream';
import { decode } from '@trainer/protocol';
import { z } from 'zod';
import { type Clock, systemClock } from '../time.js';
import { type Channel, ChannelClosed, ChannelFull, type CloseReason, Listeners } from './channel.js';
import { DEFAULT_MAX_FRAME_BYTES, encodeFrame, FrameReader } from './frames.js';

export interface SocketChannelOptions<In> {
  /** Owned by the channel from now on. A parent's end is `child.stdio[3]`, its child's `new net.Socket({ fd: 3 })`. */
  readonly stream: Duplex;
  /** Checks what arrives, such as the `parse` of a zod schema; what it throws at closes the channel. */
  readonly parse: (value: unknown) => In;
  readonly maxFrameBytes?: number;
  /** From this many unsent bytes on no message is taken. */
  readonly maxQueuedBytes?: number;
  /** How long closing waits for the other end to take what was sent and to close too. */
  readonly lingerMs?: number;
  readonly clock?: Clock;
}

const DEFAULT_MAX_QUEUED_BYTES = 16 * 2 ** 20;
const DEFAULT_LINGER_MS = 2000;

/** Closes with `error` at a message that is too long, no msgpack, or refused by `parse`; nothing after it is delivered. */
export function socketChannel<Out, In>(options: SocketChannelOptions<In>): Channel<Out, In> {
  return new SocketChannel<Out, In>(options);
}

class SocketChannel<Out, In> implements Channel<Out, In> {
  readonly closed: Promise<CloseReason>;
  readonly #options: Required<SocketChannelOptions<In>>;
  readonly #stream: Duplex;
  readonly #reader: FrameReader;
  readonly #listeners = new Listeners<In>();
  /** Of sends that wait for the queue to shorten. */
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = [];
  #reason: CloseReason | undefined;
  #cancelLinger: (() => void) | undefined;

  constructor(options: SocketChannelOptions<In>) {
    this.#options = {
      maxFrameBytes: DEFAULT_MAX_FRAME_BYTES,
      maxQueuedBytes: DEFAULT_MAX_QUEUED_BYTES,
      lingerMs: DEFAULT_LINGER_MS,
      clock: systemClock,
      ...options,
    };
    this.#reader = new FrameReader(this.#options.maxFrameBytes);
    const stream = options.stream;
    this.#stream = stream;
    // Child processes' streams would cut off what is still to be sent when the other end closes first.
    stream.allowHalfOpen = true;
    stream.on('drain', () => this.#settle((sender) => sender.resolve()));
    stream.on('end', () => this.#ended());
    stream.on('error', (error) => this.#stop({ by: 'error', message: `the connection broke: ${error.message}` }));
    this.closed = new Promise((resolve) => {
      stream.once('close', () => {
        this.#stop({ by: 'peer', message: 'the other end closed the connection' });
        this.#cancelLinger?.();
        resolve(this.#reason!);
      });
    });
  }

  async send(message: Out): Promise<void> {
    if (this.#reason) throw new ChannelClosed(this.#reason.message);
    const { maxFrameBytes, maxQueuedBytes } = this.#options;
    if (this.#stream.writableLength >= maxQueuedBytes)
      throw new ChannelFull(`${this.#stream.writableLength} bytes wait for the other end: no more are taken`);
    if (this.#stream.write(encodeFrame(message, maxFrameBytes))) return;
    await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  onMessage(listener: (message: In) => void): void {
    if (!this.#listeners.add(listener)) return;
    this.#stream.on('data', (chunk: Uint8Array) => this.#take(chunk));
    this.#stream.resume();
  }

  close(): void {
    this.#finish({ by: 'us', message: 'this end closed the connection' });
  }

  #take(chunk: Uint8Array): void {
    const payloads = this.#reader.push(chunk);
    while (!this.#stream.destroyed) {
      const message = this.#next(payloads);
      if (!message) return;
      this.#listeners.call(message.value);
    }
  }

  /** The next message of a chunk; undefined after its last, or when it is bad. */
  #next(payloads: Iterator<Uint8Array, void>): { readonly value: In } | undefined {
    try {
      const { done, value } = payloads.next();
      return done ? undefined : { value: this.#options.parse(decode(value, z.unknown())) };
    } catch (error) {
      const [line] = (error instanceof Error ? error.message : String(error)).split('\n');
      this.#stop({ by: 'error', message: `a message from the other end is not understood: ${line}` });
      this.#stream.destroy();
      return undefined;
    }
  }

  #ended(): void {
    this.#finish(
      this.#reader.unfinished
        ? { by: 'error', message: 'the other end went away in the middle of a message' }
        : { by: 'peer', message: 'the other end closed the connection' },
    );
  }

  /** Sends what is queued, then nothing more; the stream is closed when the other end has done the same, or takes too long. */
  #finish(reason: CloseReason): void {
    if (this.#reason) return;
    this.#stop(reason);
    this.#stream.end();
    const { clock, lingerMs } = this.#options;
    this.#cancelLinger = clock.later(() => this.#stream.destroy(), lingerMs);
  }

  /** The first reason is the one that counts. */
  #stop(reason: CloseReason): void {
    this.#reason ??= reason;
    const { message } = this.#reason;
    this.#settle((sender) => sender.reject(new ChannelClosed(message)));
  }

  #settle(how: (sender: { resolve: () => void; reject: (error: Error) => void }) => void): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const sender of waiting) how(sender);
  }
}
