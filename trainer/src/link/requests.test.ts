import { MessageChannel, Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { TrainerError } from '../errors.js';
import type { Clock } from '../time.js';
import { type Channel, ChannelClosed, type CloseReason, Listeners } from './channel.js';
import { portChannel } from './port.js';
import { answerRequests, type ReplyMessage, type RequestMessage, Requests } from './requests.js';

type Reply = ReplyMessage<string>;

/** A clock whose timers go off when told, and a channel whose other end is the test. */
function asking() {
  const timers: { callback: () => void; ms: number }[] = [];
  const clock: Clock = {
    now: () => 0,
    later: (callback, ms) => {
      const timer = { callback, ms };
      timers.push(timer);
      return () => timers.splice(timers.indexOf(timer), 1);
    },
  };
  const sent: RequestMessage<string>[] = [];
  const listeners = new Listeners<Reply>();
  let close = (_: CloseReason): void => {};
  const channel: Channel<RequestMessage<string>, Reply> = {
    send: async (message) => {
      if (message.body === 'unsendable') throw new Error('too long');
      if (message.body === 'unheard') throw new ChannelClosed('it is closed');
      sent.push(message);
    },
    onMessage: (listener) => listeners.add(listener),
    closed: new Promise((resolve) => {
      close = resolve;
    }),
    close: () => {},
  };
  return { requests: new Requests<string, string>(channel, clock), timers, sent, reply: (r: Reply) => listeners.call(r), close };
}

const SOON = { deadlineMs: 100 };

describe('requests', () => {
  it('get the replies with their ids, in any order', async () => {
    const { requests, sent, reply, timers } = asking();
    const [a, b] = [requests.call('a', SOON), requests.call('b', SOON)];
    expect(sent.map(({ body }) => body)).toEqual(['a', 'b']);
    reply({ type: 'reply', id: sent[1]!.id, body: 'B' });
    reply({ type: 'reply', id: sent[0]!.id, body: 'A' });
    expect(await Promise.all([a, b])).toEqual(['A', 'B']);
    expect([requests.pending, timers.length]).toEqual([0, 0]);
  });

  it('fail at their deadline, and let late and repeated replies fall', async () => {
    const { requests, sent, reply, timers } = asking();
    const late = requests.call('late', SOON);
    expect(timers[0]!.ms).toBe(100);
    timers[0]!.callback();
    await expect(late).rejects.toMatchObject({ fault: 'late', message: 'the other end did not answer within 100 ms' });
    const next = requests.call('next', SOON);
    reply({ type: 'reply', id: sent[0]!.id, body: 'of the late one' });
    reply({ type: 'reply', id: sent[1]!.id, body: 'first' });
    reply({ type: 'reply', id: sent[1]!.id, body: 'second' });
    expect(await next).toBe('first');
    expect(requests.pending).toBe(0);
  });

  it('all fail when the channel closes, and those after it', async () => {
    const { requests, close } = asking();
    const calls = [requests.call('a', SOON), requests.call('b', SOON)];
    close({ by: 'peer', message: 'it is gone' });
    for (const call of calls) await expect(call).rejects.toMatchObject({ fault: 'closed', message: 'it is gone' });
    await expect(requests.call('unheard', SOON)).rejects.toMatchObject({ fault: 'closed', message: 'it is closed' });
    expect(requests.pending).toBe(0);
  });

  it('that cannot be sent fail with the reason', async () => {
    const { requests, timers } = asking();
    await expect(requests.call('unsendable', SOON)).rejects.toThrow('too long');
    expect(timers).toEqual([]);
  });

  it('leave other messages to others', async () => {
    const { requests, sent, reply } = asking();
    const call = requests.call('a', SOON);
    reply({ type: 'news', id: sent[0]!.id, body: 'x' } as unknown as Reply);
    reply({ type: 'reply', id: sent[0]!.id, body: 'A' });
    expect(await call).toBe('A');
  });
});

describe('answered requests', () => {
  const clock: Clock = { now: () => 0, later: () => () => {} };

  function answering(handle: (request: string) => Promise<unknown> | unknown) {
    const { port1, port2 } = new MessageChannel();
    answerRequests(portChannel<ReplyMessage<unknown>, RequestMessage<string>>(port2), handle);
    const channel = portChannel<RequestMessage<string>, ReplyMessage<unknown>>(port1);
    return { requests: new Requests(channel, clock), channel };
  }

  it('carry what the handler returns or throws over a port, exit codes of our own errors too', async () => {
    const { requests, channel } = answering(async (request) => {
      if (request === 'fail') throw new Error('broken');
      if (request === 'diverge') throw new TrainerError('the loss is NaN', 4);
      return `${request}!`;
    });
    expect(await requests.call('a', SOON)).toBe('a!');
    await expect(requests.call('fail', SOON)).rejects.toMatchObject({ name: 'RequestError', fault: 'failed', message: 'broken' });
    const diverged = await requests.call('diverge', SOON).catch((error) => error);
    expect(diverged).toBeInstanceOf(TrainerError);
    expect(diverged).toMatchObject({ message: 'the loss is NaN', exitCode: 4 });
    channel.close();
  });

  it('say so when a reply cannot be sent', async () => {
    const { requests, channel } = answering(() => () => 'functions cannot be cloned');
    await expect(requests.call('a', SOON)).rejects.toMatchObject({ fault: 'failed' });
    channel.close();
  });
});

describe('a channel over a port', () => {
  it('shares memory, and is closed for both when one closes', async () => {
    const { port1, port2 } = new MessageChannel();
    const [a, b] = [portChannel<Uint8Array, never>(port1), portChannel<never, Uint8Array>(port2)];
    const received = new Promise<Uint8Array>((resolve) => b.onMessage(resolve));
    const shared = new Uint8Array(new SharedArrayBuffer(1));
    await a.send(shared);
    (await received)[0] = 5;
    expect(shared[0]).toBe(5);
    b.close();
    expect([(await a.closed).by, (await b.closed).by]).toEqual(['peer', 'us']);
    await expect(a.send(shared)).rejects.toThrow(ChannelClosed);
  });

  it('is closed by the end of the thread at its other end', async () => {
    const { port1, port2 } = new MessageChannel();
    new Worker(
      `const { port } = require('node:worker_threads').workerData; port.on('message', () => process.exit()); port.postMessage(1)`,
      { eval: true, workerData: { port: port2 }, transferList: [port2] },
    );
    const channel = portChannel<number, number>(port1);
    channel.onMessage(() => channel.send(0));
    expect((await channel.closed).by).toBe('peer');
  });
});
