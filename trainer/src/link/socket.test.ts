import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ChannelClosed, ChannelFull } from './channel.js';
import { socketChannel } from './socket.js';

const Message = z.object({ id: z.number(), filling: z.instanceof(Uint8Array).optional() });
type Message = z.infer<typeof Message>;
const parse = (value: unknown): Message => Message.parse(value);

/** Compiled, as a child of the product is. */
const SOCKET = new URL('../../dist/link/socket.js', import.meta.url);
const CHILD = `
  import { Socket } from 'node:net';
  import { socketChannel } from '${SOCKET}';
  const socket = new Socket({ fd: 3 });
  const open = () => socketChannel({ stream: socket, parse: (value) => value });
`;
const ECHO = `const channel = open(); channel.onMessage((message) => channel.send(message));`;

const children: ChildProcess[] = [];

/** A child that runs a program, and the parent's end of the channel to it. */
function start(program: string, limits: { maxQueuedBytes?: number; lingerMs?: number } = {}) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', CHILD + program], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  });
  children.push(child);
  const channel = socketChannel<Message, Message>({ stream: child.stdio[3] as Duplex, parse, ...limits });
  const received: Message[] = [];
  channel.onMessage((message) => received.push(message));
  return { child, channel, received };
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await sleep(2);
};

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

describe('a channel to a child process', () => {
  it('carries messages of all sizes both ways, in order', async () => {
    const { child, channel, received } = start(ECHO);
    const sizes = [0, 1, 70_000, 3, 5_000_000, 2];
    for (const [id, size] of sizes.entries()) await channel.send({ id, filling: new Uint8Array(size).fill(id) });
    await until(() => received.length === sizes.length);
    received.forEach(({ id, filling }, i) => {
      expect(id).toBe(i);
      expect(Buffer.compare(filling!, Buffer.alloc(sizes[i]!, i))).toBe(0);
    });
    channel.close();
    expect((await channel.closed).by).toBe('us');
    await once(child, 'exit');
    expect(child.exitCode).toBe(0);
  });

  it('closes promptly when the child is killed, also while a send waits', async () => {
    const { child, channel, received } = start(`socket.pause(); const channel = open(); channel.send({ id: 1 });`, {
      lingerMs: 3_600_000,
    });
    await until(() => received.length === 1);
    const waiting = channel.send({ id: 2, filling: new Uint8Array(10_000_000) });
    waiting.catch(() => {});
    await sleep(20);
    child.kill('SIGKILL');
    expect((await channel.closed).by).not.toBe('us');
    await expect(waiting).rejects.toThrow(ChannelClosed);
    await expect(channel.send({ id: 3 })).rejects.toThrow(ChannelClosed);
  });

  it('delivers what the child had sent before it was killed', async () => {
    const { child, channel, received } = start(
      `const channel = open();
       for (let id = 0; id < 100; id++) await channel.send({ id, filling: new Uint8Array(500) });
       console.log('sent');
       setInterval(() => {}, 1000);`,
    );
    await once(child.stdout!, 'data');
    child.kill('SIGKILL');
    expect(await channel.closed).toEqual({ by: 'peer', message: 'the other end closed the connection' });
    expect(received.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, id) => id));
  });

  it('closes promptly at the child when the parent is killed', async () => {
    const middle = `
      import { spawn } from 'node:child_process';
      const child = spawn(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(`${CHILD}
        const channel = open();
        channel.onMessage(() => process.stdout.write('ready '));
        channel.closed.then(({ by }) => process.stdout.write(by));
      `)}], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
      const channel = socketChannel({ stream: child.stdio[3], parse: (value) => value });
      channel.onMessage(() => {});
      channel.send({ id: 1 });
    `;
    const { child } = start(middle);
    let output = '';
    child.stdout!.on('data', (chunk) => {
      output += chunk;
    });
    await until(() => output === 'ready ');
    child.kill('SIGKILL');
    await once(child.stdout!, 'end');
    expect(output).toBe('ready peer');
  });

  it('lets a sender wait while the child does not read, and takes no more than its queue holds from one that does not', async () => {
    const { channel } = start(`socket.pause(); setInterval(() => {}, 1000);`, { maxQueuedBytes: 2_000_000, lingerMs: 0 });
    const filling = new Uint8Array(100_000);
    const before = process.memoryUsage().arrayBuffers;
    let [taken, left, full] = [0, 0, 0];
    for (let id = 0; id < 1000; id++)
      channel.send({ id, filling }).then(
        () => left++,
        (error) => (error instanceof ChannelFull ? full++ : taken++),
      );
    await sleep(50);
    expect(full).toBeGreaterThan(970);
    expect(left).toBeLessThan(10);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
    channel.close();
    await channel.closed;
    await until(() => taken + left + full === 1000);
    expect(taken).toBeGreaterThan(10);
  });

  it('sends go on once the child reads', async () => {
    const { channel, received } = start(`
      socket.pause();
      setTimeout(() => {
        const channel = open();
        channel.onMessage(({ id }) => channel.send({ id }));
      }, 50);
    `);
    for (let id = 0; id < 50; id++) await channel.send({ id, filling: new Uint8Array(100_000) });
    await until(() => received.length === 50);
    expect(received.at(-1)).toEqual({ id: 49 });
  });

  it('that the child closes delivers what it sent, and takes what is still to be sent', async () => {
    const { child, channel, received } = start(`
      const channel = open();
      let bytes = 0;
      channel.onMessage(({ id, filling }) => {
        bytes += filling?.length ?? 0;
        if (id === 0) {
          channel.send({ id: 1 });
          channel.send({ id: 2 });
          channel.close();
        }
      });
      channel.closed.then(({ by }) => console.log(by, bytes));
    `);
    const output = child.stdout!.toArray();
    await channel.send({ id: 0 });
    const late = channel.send({ id: 9, filling: new Uint8Array(3_000_000) });
    late.catch(() => {});
    expect((await channel.closed).by).toBe('peer');
    expect(received.map(({ id }) => id)).toEqual([1, 2]);
    await expect(channel.send({ id: 4 })).rejects.toThrow('the other end closed the connection');
    expect(String((await output).join(''))).toBe('us 3000000\n');
  });
});

describe('a channel over a stream', () => {
  const pair = () => {
    const [stream, other] = duplexPair();
    const channel = socketChannel<Message, Message>({ stream, parse, maxFrameBytes: 100, lingerMs: 10 });
    const received: Message[] = [];
    channel.onMessage((message) => received.push(message));
    return { channel, other, received };
  };
  const GOOD = Buffer.from('0000000581a2696407', 'hex');

  it('closes at a message that the parser refuses, and delivers none after it', async () => {
    const { channel, other, received } = pair();
    other.write(Buffer.concat([GOOD, Buffer.from('0000000107', 'hex'), GOOD]));
    const { by, message } = await channel.closed;
    expect(by).toBe('error');
    expect(message).toMatch(/^a message from the other end is not understood: .*$/);
    expect(received).toEqual([{ id: 7 }]);
  });

  it.each([
    ['is too long', '00000065'],
    ['is no msgpack', '00000001c1'],
    ['holds more than a value', '000000020101'],
  ])('closes at a message that %s', async (_, hex) => {
    const { channel, other } = pair();
    other.write(Buffer.from(hex, 'hex'));
    expect((await channel.closed).by).toBe('error');
  });

  it('says so when the other end goes away in the middle of a message', async () => {
    const { channel, other } = pair();
    other.end(GOOD.subarray(0, 6));
    expect(await channel.closed).toEqual({ by: 'error', message: 'the other end went away in the middle of a message' });
  });

  it('does not wait for ever for the other end to close', async () => {
    const { channel, other } = pair();
    other.resume();
    channel.close();
    channel.close();
    expect((await channel.closed).by).toBe('us');
  });

  it('refuses a message that the other end would', async () => {
    const { channel } = pair();
    await expect(channel.send({ id: 1, filling: new Uint8Array(100) })).rejects.toThrow('a message of 117 bytes');
    await channel.send({ id: 1 });
  });
});
