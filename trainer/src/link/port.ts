// A channel over a MessagePort: between the threads of one process, whose messages are cloned and need no check.
import type { MessagePort } from 'node:worker_threads';
import { type Channel, ChannelClosed, type CloseReason, Listeners } from './channel.js';

/**
 * `send` never waits: a port has no end to its queue, so what is sent is to be paced by replies. Shared memory in messages stays
 * shared. The end of a thread closes its ports.
 */
export function portChannel<Out, In>(port: MessagePort): Channel<Out, In> {
  const listeners = new Listeners<In>();
  let reason: CloseReason | undefined;
  const closed = new Promise<CloseReason>((resolve) => {
    const end = (why: CloseReason): void => {
      reason ??= why;
      resolve(reason);
    };
    port.once('close', () => end({ by: 'peer', message: 'the other end closed the port, or its thread ended' }));
    port.on('messageerror', (error) => {
      end({ by: 'error', message: `a message could not be read: ${error.message}` });
      port.close();
    });
  });
  return {
    closed,
    send: async (message) => {
      if (reason) throw new ChannelClosed(reason.message);
      port.postMessage(message);
    },
    onMessage: (listener) => {
      if (listeners.add(listener)) port.on('message', (message: In) => listeners.call(message));
    },
    close: () => {
      reason ??= { by: 'us', message: 'this end closed the port' };
      port.close();
    },
  };
}
