import { Packr, Unpackr } from 'msgpackr';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { decode, encode } from './codec.js';
import { GRADIENT_PAYLOAD_OFFSET, type GradientHeader, gradientHeaderWriter, readGradientHeader } from './collective.js';

const HEADER: GradientHeader = {
  step: 41,
  examples: 128,
  version: 1,
  rank: 1,
  wire: 'fp32',
  floats: 2,
  bucket: 0,
  buckets: 3,
  layout: '1 array',
};

function frameOf({ version: _, step, examples, ...fixed }: GradientHeader, payload: readonly number[]): Uint8Array {
  const frame = new Uint8Array(GRADIENT_PAYLOAD_OFFSET + payload.length);
  gradientHeaderWriter(fixed)(new DataView(frame.buffer), step, examples);
  frame.set(payload, GRADIENT_PAYLOAD_OFFSET);
  return frame;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('a frame of float32 is these bytes', () => {
  const frame = frameOf(HEADER, [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  const number = (value: number) => hex(new Uint8Array(new Float64Array([value]).buffer).reverse());
  const text = (value: string) => hex(Buffer.concat([Buffer.of(0xa0 + value.length), Buffer.from(value)]));
  const parts = [
    ...['de000a', text('step'), 'cb', number(41), text('examples'), 'cb', number(128), text('version'), '01'],
    ...[text('rank'), '01', text('wire'), text('fp32'), text('floats'), '02', text('bucket'), '00', text('buckets'), '03'],
    ...[text('layout'), text('1 array'), text('pad'), 'c4'],
  ];
  const fields = parts.join('');
  const padding = 251 - fields.length / 2 - 1;
  expect(hex(frame)).toBe(`${fields}${padding.toString(16)}${'00'.repeat(padding)}c600000008${'0000803f'}${'000000c0'}`);
});

test('any MessagePack library reads a frame as two values: what it says of itself, and the numbers', () => {
  const seen = new Unpackr({ useRecords: false }).unpackMultiple(frameOf(HEADER, [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0])) as [
    GradientHeader & { pad: Uint8Array },
    Uint8Array,
  ];
  expect(seen).toHaveLength(2);
  const { pad, ...header } = seen[0];
  expect(header).toEqual(HEADER);
  expect(hex(pad)).toMatch(/^(00)+$/);
  expect(hex(seen[1])).toBe('0000803f000000c0');
});

test('numbers in bfloat16 are extension type 16', () => {
  const frame = frameOf({ ...HEADER, wire: 'bf16' }, [0x80, 0x3f, 0, 0xc0]);
  expect(hex(frame.subarray(250))).toBe('c90000000410803f00c0');
  expect(readGradientHeader(frame, 'bf16')).toEqual({ ...HEADER, wire: 'bf16' });
});

test('a header reads as it was written, from memory that threads share as well', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(512)).subarray(64, 64 + 264);
  const { version: _, step, examples, ...fixed } = HEADER;
  const write = gradientHeaderWriter(fixed);
  write(new DataView(shared.buffer, 64), step, examples);
  expect(readGradientHeader(shared, 'fp32')).toEqual(HEADER);
  write(new DataView(shared.buffer, 64), 2 ** 40, 0);
  expect(readGradientHeader(shared, 'fp32')).toEqual({ ...HEADER, step: 2 ** 40, examples: 0 });
});

test.each([
  ['another version', { version: 2 }],
  ['a step between steps', { step: 0.5 }],
  ['negative examples', { examples: -1 }],
  ['a wire that nobody knows', { wire: 'fp8' }],
])('a header with %s is refused', (_, change) => {
  const packr = new Packr({ useRecords: false });
  const frame = new Uint8Array(GRADIENT_PAYLOAD_OFFSET);
  const sizeOf = (pad: number) => packr.pack({ ...HEADER, ...change, pad: new Uint8Array(pad) });
  frame.set(sizeOf(251 - sizeOf(0).length));
  expect(() => readGradientHeader(frame, 'fp32')).toThrow(z.ZodError);
});

test('memory that holds no frame is refused', () => {
  expect(() => readGradientHeader(new Uint8Array(GRADIENT_PAYLOAD_OFFSET), 'fp32')).toThrow();
});

test('what is encoded is decoded: nesting, bytes, and numbers of every size', () => {
  const value = { a: [1, -1, 2 ** 40, 0.1, null, true], b: { c: 'ü', d: Uint8Array.of(1, 2) } };
  const read = decode(encode(value), z.any());
  expect(read).toEqual({ ...value, b: { c: 'ü', d: Buffer.of(1, 2) } });
});

test.each([
  ['too short', '93'],
  ['too long', '0101'],
])('bytes that are %s for a value are refused', (_, bytes) => {
  expect(() => decode(Buffer.from(bytes, 'hex'), z.any())).toThrow();
});
