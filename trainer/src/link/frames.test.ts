import { describe, expect, it } from 'vitest';
import { randomStream } from '../random.js';
import { BadFrame, encodeFrame, FrameReader } from './frames.js';

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(' ', ''), 'hex');
const taken = (reader: FrameReader, chunk: Uint8Array): string[] =>
  [...reader.push(chunk)].map((payload) => Buffer.from(payload).toString('hex'));

describe('frames', () => {
  it('are a big-endian length and msgpack', () => {
    expect(Buffer.from(encodeFrame(7)).toString('hex')).toBe('0000000107');
    expect(Buffer.from(encodeFrame(['hi', null, 3])).toString('hex')).toBe('0000000693a26869c003');
    expect(
      Buffer.from(encodeFrame('x'.repeat(300)))
        .subarray(0, 7)
        .toString('hex'),
    ).toBe('0000012fda012c');
  });

  it('are cut out of a stream that is split anywhere', () => {
    const stream = bytes('00000001 07  00000003 a26869  00000002 9101');
    for (let size = 1; size <= stream.length; size++) {
      const reader = new FrameReader();
      const payloads: string[] = [];
      for (let at = 0; at < stream.length; at += size) payloads.push(...taken(reader, stream.subarray(at, at + size)));
      expect(payloads).toEqual(['07', 'a26869', '9101']);
      expect(reader.unfinished).toBe(false);
    }
  });

  it('are unfinished from the first byte of a length to the last of a payload', () => {
    const reader = new FrameReader();
    expect(reader.unfinished).toBe(false);
    for (const part of ['00', '000002', '91']) {
      expect(taken(reader, bytes(part))).toEqual([]);
      expect(reader.unfinished).toBe(true);
    }
    expect(taken(reader, bytes('01'))).toEqual(['9101']);
    expect(reader.unfinished).toBe(false);
  });

  it('are refused when longer than the limit, at their length alone', () => {
    expect(taken(new FrameReader(3), bytes('00000003 a26869'))).toEqual(['a26869']);
    expect(() => taken(new FrameReader(3), bytes('00000004'))).toThrow(BadFrame);
    expect(() => taken(new FrameReader(), bytes('04000001'))).toThrow('a message of 67108865 bytes: 1 to 67108864 are taken');
    expect(() => taken(new FrameReader(), bytes('ffffffff'))).toThrow(BadFrame);
    expect(() => encodeFrame('four', 4)).toThrow(BadFrame);
  });

  it('are refused when of no bytes, which no message is', () => {
    expect(() => taken(new FrameReader(), bytes('00000000'))).toThrow(BadFrame);
  });

  it('take memory for what has arrived, not for what is announced', () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 100 }, () => new FrameReader());
    for (const reader of readers) expect(taken(reader, bytes('04000000 00'))).toEqual([]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 2 ** 20);
    expect(readers.every((reader) => reader.unfinished)).toBe(true);
  });

  it('of many sizes arrive whole in 100,000 chunks of any size', () => {
    const random = randomStream(1, 'frames');
    const frames = Array.from({ length: 40_000 }, (_, id) =>
      encodeFrame([id, 'x'.repeat(random.below(id % 8 === 0 ? 2000 : 40))]),
    );
    const stream = Buffer.concat(frames);
    const reader = new FrameReader();
    let [received, chunks, at] = [0, 0, 0];
    while (chunks < 100_000 && at < stream.length) {
      const size = 1 + random.below(random.below(10) === 0 ? 900 : 12);
      for (const payload of reader.push(stream.subarray(at, at + size)))
        if (Buffer.compare(payload, frames[received++]!.subarray(4)) !== 0)
          throw new Error(`frame ${received} is not what was sent`);
      at += size;
      chunks++;
    }
    expect(chunks).toBe(100_000);
    expect(received).toBeGreaterThan(10_000);
  });

  it('are read or refused, whatever the bytes', () => {
    const random = randomStream(2, 'noise');
    const noise = Uint8Array.from({ length: 2 ** 16 }, () => random.below(256) >>> (random.below(3) * 4));
    let [refused, read] = [0, 0];
    let reader = new FrameReader(64);
    for (let chunk = 0; chunk < 100_000; chunk++) {
      const at = random.below(2 ** 16);
      try {
        for (const payload of reader.push(noise.subarray(at, at + 1 + random.below(16)))) {
          if (payload.length === 0 || payload.length > 64) throw new Error(`a payload of ${payload.length} bytes`);
          read++;
        }
      } catch (error) {
        if (!(error instanceof BadFrame)) throw error;
        refused++;
        reader = new FrameReader(64);
      }
    }
    expect(refused).toBeGreaterThan(1000);
    expect(read).toBeGreaterThan(100);
  });
});
