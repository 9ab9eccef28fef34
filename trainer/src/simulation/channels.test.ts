import { expect, describe as group, it } from 'vitest';
import { ChannelClosed } from '../link/channel.js';
import { randomStream } from '../random.js';
import { type ChannelFaults, SOCKET, simulatedChannelPair } from './channels.js';
import { SimulatedClock } from './clock.js';
import { describe, Trace } from './trace.js';

function line(faults: ChannelFaults, seed = 1) {
  const clock = new SimulatedClock();
  const trace = new Trace(clock);
  const pair = simulatedChannelPair<number, string>({
    clock,
    trace,
    random: randomStream(seed, 'link'),
    faults,
    names: ['x', 'y'],
  });
  const received: number[] = [];
  pair.b.onMessage((message) => received.push(message));
  const replies: string[] = [];
  pair.a.onMessage((message) => replies.push(message));
  return { clock, trace, ...pair, received, replies };
}

const QUICK: ChannelFaults = { delayMs: [1, 5] };
const NUMBERS = Array.from({ length: 300 }, (_, i) => i);

/** What became of a promise. */
function fate(promise: Promise<unknown>): { is: string } {
  const state = { is: 'pending' };
  promise.then(
    () => {
      state.is = 'resolved';
    },
    (error: Error) => {
      state.is = error.name;
    },
  );
  return state;
}

group('a simulated channel', () => {
  it.each([
    ['quick', QUICK],
    ['like a socket', SOCKET],
  ])('that is %s carries all messages in order, with delay', async (_, faults) => {
    const { clock, a, b, received, replies } = line(faults);
    void (async () => {
      for (const n of NUMBERS) await a.send(n);
    })();
    await b.send('hello');
    await clock.advance(0.01);
    expect(received).toEqual([]);
    await clock.advance(60_000);
    expect(received).toEqual(NUMBERS);
    expect(replies).toEqual(['hello']);
  });

  it('keeps messages in order that arrive at one time, however they are held up', async () => {
    for (let seed = 0; seed < 50; seed++) {
      const { clock, a, received } = line({ delayMs: [0.1, 0.7], slow: { probability: 0.3, ms: 200 }, window: 1000 }, seed);
      for (const n of NUMBERS.slice(0, 30)) {
        void a.send(n);
        await clock.advance(0.1 * (n % 7));
      }
      await clock.advance(1000);
      expect(received).toEqual(NUMBERS.slice(0, 30));
    }
  });

  it('lets senders wait while many messages are under way', async () => {
    const { clock, a } = line({ delayMs: [10, 10], window: 4 });
    const fates = NUMBERS.slice(0, 5).map((n) => fate(a.send(n)));
    await clock.advance(1);
    expect(fates.map(({ is }) => is)).toEqual(['resolved', 'resolved', 'resolved', 'pending', 'pending']);
    await clock.advance(10);
    expect(fates.every(({ is }) => is === 'resolved')).toBe(true);
  });

  it('drops, doubles and reorders where it is told to', async () => {
    const send = async (faults: Partial<ChannelFaults>): Promise<number[]> => {
      const { clock, a, received } = line({ ...QUICK, ...faults, window: 1000 });
      for (const n of NUMBERS) await a.send(n);
      await clock.advance(1000);
      return received;
    };
    const dropped = await send({ drop: 0.2 });
    expect(dropped.length).toBeGreaterThan(200);
    expect(dropped.length).toBeLessThan(280);
    expect(dropped).toEqual([...dropped].sort((x, y) => x - y));
    const doubled = await send({ duplicate: 0.2 });
    expect(doubled.length).toBeGreaterThan(320);
    expect([...new Set(doubled)]).toEqual(NUMBERS);
    const reordered = await send({ reorder: 0.2 });
    expect(reordered).not.toEqual(NUMBERS);
    expect([...reordered].sort((x, y) => x - y)).toEqual(NUMBERS);
  });

  it('gives messages as they were when sent, memory shared', async () => {
    const clock = new SimulatedClock();
    const { a, b } = simulatedChannelPair<{ value: number; memory: SharedArrayBuffer }, never>({
      clock,
      trace: new Trace(clock),
      random: randomStream(1),
      faults: QUICK,
      names: ['x', 'y'],
    });
    const received: { value: number; memory: SharedArrayBuffer }[] = [];
    b.onMessage((message) => received.push(message));
    const sent = { value: 1, memory: new SharedArrayBuffer(1) };
    await a.send(sent);
    sent.value = 2;
    new Uint8Array(sent.memory)[0] = 3;
    await clock.advance(10);
    expect(received[0]!.value).toBe(1);
    expect(new Uint8Array(received[0]!.memory)[0]).toBe(3);
  });

  it('keeps what arrives before anyone listens', async () => {
    const clock = new SimulatedClock();
    const trace = new Trace(clock);
    const { a, b } = simulatedChannelPair<number, never>({
      clock,
      trace,
      random: randomStream(1),
      faults: QUICK,
      names: ['x', 'y'],
    });
    await a.send(1);
    await clock.advance(10);
    const received: number[] = [];
    b.onMessage((n) => received.push(n));
    b.onMessage((n) => received.push(-n));
    await a.send(2);
    await clock.advance(10);
    expect(received).toEqual([1, -1, 2, -2]);
  });

  it('delivers what was sent before it is closed, both ways, then is closed for both', async () => {
    const { clock, a, b, received, replies } = line(QUICK);
    for (const n of [1, 2, 3]) await a.send(n);
    await b.send('under way');
    a.close();
    a.close();
    await expect(a.send(4)).rejects.toThrow(ChannelClosed);
    await clock.advance(20);
    expect([received, replies]).toEqual([[1, 2, 3], ['under way']]);
    expect([(await a.closed).by, (await b.closed).by]).toEqual(['us', 'peer']);
    await expect(b.send('late')).rejects.toThrow('the other end closed the connection');
  });

  it('loses some of what a crashed end had sent, and tells the other end alone', async () => {
    const arrived = new Set<number>();
    const reasons = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const { clock, a, b, crash, received, replies } = line(QUICK, seed);
      for (const n of [0, 1, 2, 3]) await a.send(n);
      await b.send('to a dead process');
      crash('a');
      const [closed, after] = [fate(a.closed), fate(a.send(9))];
      await clock.advance(20);
      expect(received).toEqual([0, 1, 2, 3].slice(0, received.length));
      expect([replies, closed.is, after.is]).toEqual([[], 'pending', 'pending']);
      arrived.add(received.length);
      reasons.add((await b.closed).by);
    }
    expect([...arrived].sort()).toEqual([0, 1, 2, 3, 4]);
    expect([...reasons].sort()).toEqual(['error', 'peer']);
  });

  it('lets nobody wait for a sever or a crash of the other end', async () => {
    const { clock, a, b, crash } = line({ ...QUICK, window: 1 });
    const waiting = fate(b.send('x'));
    crash('a');
    await clock.advance(20);
    expect(waiting.is).not.toBe('pending');
    expect(fate(a.closed).is).toBe('pending');
    const other = line({ ...QUICK, sever: 1, window: 1 });
    const sends = [fate(other.a.send(1)), fate(other.a.send(2))];
    await other.clock.advance(20);
    expect(sends.some(({ is }) => is === 'pending')).toBe(false);
    expect([(await other.a.closed).by, (await other.b.closed).by]).toEqual(['error', 'error']);
    expect(other.clock.pending).toBe(0);
  });
});

group('the trace of a message', () => {
  it('tells numbers by their checksum, and is short', () => {
    const text = describe({
      type: 'step',
      data: Float32Array.of(1, 2),
      bytes: Buffer.from('ab'),
      error: new TypeError('no'),
      n: 5n,
    });
    expect(text).toBe(
      '{"type":"step","data":"Float32Array(8 bytes)#2e3fa576","bytes":"Buffer(2 bytes)#9e83486d","error":"TypeError: no","n":"5n"}',
    );
    const long = (end: string): string => describe(`${'x'.repeat(500)}${end}`);
    expect(long('a').length).toBeLessThan(180);
    expect(long('a')).not.toBe(long('b'));
    expect(describe(undefined)).toBe('undefined');
  });
});
