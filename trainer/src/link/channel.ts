// The contract of a two-way line of messages: between processes, between threads, or simulated.

/** Why a channel is closed. `peer`: the other end closed it, or its process ended (a socket cannot tell one from the other). */
export interface CloseReason {
  readonly by: 'us' | 'peer' | 'error';
  /** One line for people. */
  readonly message: string;
}

/**
 * One end of a line that carries messages in order, each once, until it closes.
 *
 * @example
 * channel.onMessage((message) => handle(message));
 * await channel.send({ type: 'stop' }); // waits while the other end is slow
 * channel.close();
 * const { by, message } = await channel.closed;
 */
export interface Channel<Out, In> {
  /**
   * Takes a message; resolves when another may follow. Who does not wait for that fills a queue, which is bounded.
   * @throws ChannelClosed once this end or the other has closed, also while waiting; ChannelFull where the queue is full (the
   * message is not sent, the channel stays)
   */
  send(message: Out): Promise<void>;
  /**
   * Adds a listener for what arrives. Nothing is read, nor the end of the line noticed, before the first is added; add all of
   * them in one go. What a listener throws is not caught.
   */
  onMessage(listener: (message: In) => void): void;
  /** Resolves once nothing more will arrive or leave; never rejects. */
  readonly closed: Promise<CloseReason>;
  /** Lets what was sent arrive, then closes. What the other end had sent before it notices is still delivered. Idempotent. */
  close(): void;
}

/** A message cannot be sent: the channel is closed. */
export class ChannelClosed extends Error {
  override readonly name = 'ChannelClosed';
}

/** A message was not sent: the sender did not wait for earlier ones to leave. */
export class ChannelFull extends Error {
  override readonly name = 'ChannelFull';
}

/** Calls all listeners, in the order they were added. */
export class Listeners<In> {
  readonly #listeners: ((message: In) => void)[] = [];

  /** Returns whether it is the first. */
  add(listener: (message: In) => void): boolean {
    return this.#listeners.push(listener) === 1;
  }

  call(message: In): void {
    for (const listener of this.#listeners) listener(message);
  }
}
