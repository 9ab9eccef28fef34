import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { TrainerError } from '../errors.js';
import { randomStream } from '../random.js';
import { fromTorchLayout, torchShape, toTorchLayout } from './layout.js';
import { asFloatTensor, decodeSafetensors, encodeSafetensors, type TensorSource } from './safetensors.js';

// Headers of many megabytes, and thousands of small ones: a second on a quiet machine.
vi.setConfig({ testTimeout: 60_000 });

const fileOf = (header: string | Uint8Array, dataBytes = 0): Uint8Array => {
  const json = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(dataBytes)]);
};

const tensors = fc.dictionary(
  fc.string({ unit: 'binary', maxLength: 12 }).filter((name) => name !== '__metadata__'),
  fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }).chain((shape) => {
    const size = shape.reduce((product, length) => product * length, 1);
    return fc
      .array(fc.float(), { minLength: size, maxLength: size })
      .map((values): TensorSource & { data: Float32Array } => ({ shape, data: Float32Array.from(values) }));
  }),
  { maxKeys: 6 },
);

describe('round trip', () => {
  test('every record of tensors, with any names, comes back bit for bit', () => {
    fc.assert(
      fc.property(tensors, fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }), (written, metadata) => {
        const read = decodeSafetensors(encodeSafetensors(written, metadata), 'file');
        expect(Object.keys(read.tensors).sort()).toEqual(Object.keys(written).sort());
        for (const [name, tensor] of Object.entries(written)) {
          const { shape, data } = asFloatTensor(read.tensors[name]!, name);
          expect(shape).toEqual(tensor.shape);
          expect(Buffer.from(data.buffer, data.byteOffset, data.byteLength)).toEqual(Buffer.from(tensor.data.buffer));
        }
        expect({ ...read.metadata }).toEqual({ ...metadata });
      }),
      { numRuns: 300, seed: 1 },
    );
  });

  test('aligned values are views of the bytes read, others are copied', () => {
    const bytes = encodeSafetensors({ a: { shape: [2], data: Float32Array.of(1, 2) } });
    const aligned = new Uint8Array(bytes);
    expect(asFloatTensor(decodeSafetensors(aligned, 'file').tensors['a']!, 'a').data.buffer).toBe(aligned.buffer);
    const shifted = new Uint8Array(bytes.length + 1).subarray(1);
    shifted.set(bytes);
    expect(asFloatTensor(decodeSafetensors(shifted, 'file').tensors['a']!, 'a').data).toEqual(Float32Array.of(1, 2));
  });

  test('a tensor whose values do not fill its shape is refused when written', () => {
    expect(() => encodeSafetensors({ a: { shape: [3], data: new Float32Array(2) } })).toThrow('a has 2 values for shape [3]');
  });
});

describe('conversion to float32', () => {
  const read = (dtype: string, bytes: number[]): Float32Array => {
    const size = { F64: 8, F16: 2, BF16: 2 }[dtype]!;
    const file = fileOf(
      `{"a":{"dtype":"${dtype}","shape":[${bytes.length / size}],"data_offsets":[0,${bytes.length}]}}`,
      bytes.length,
    );
    file.set(bytes, file.length - bytes.length);
    return asFloatTensor(decodeSafetensors(file, 'file').tensors['a']!, 'a').data;
  };

  test('binary16: 1, -2, the smallest subnormal, infinity, NaN', () => {
    expect(read('F16', [0, 0x3c, 0, 0xc0, 1, 0, 0, 0x7c, 1, 0x7e])).toEqual(
      Float32Array.of(1, -2, 2 ** -24, Number.POSITIVE_INFINITY, Number.NaN),
    );
  });

  test('bfloat16: 1, -2.5', () => {
    expect(read('BF16', [0x80, 0x3f, 0x20, 0xc0])).toEqual(Float32Array.of(1, -2.5));
  });

  test('float64: 1.5', () => {
    expect(read('F64', [0, 0, 0, 0, 0, 0, 0xf8, 0x3f])).toEqual(Float32Array.of(1.5));
  });

  test('whole numbers are refused by name', () => {
    const { tensors: read } = decodeSafetensors(fileOf('{"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}', 8), 'file');
    expect(() => asFloatTensor(read['n']!, 'n')).toThrow('tensor "n" holds I64, not floating-point numbers; save it as F32');
  });
});

describe('files that are not valid', () => {
  const entry = (begin: number, end: number, shape = [(end - begin) / 4]): string =>
    `{"dtype":"F32","shape":[${shape}],"data_offsets":[${begin},${end}]}`;

  test.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(3), 'it has 3 bytes'],
    ['a header longer than the format allows', Uint8Array.of(1, 0xe1, 0xf5, 5, 0, 0, 0, 0), 'more than 100 MB'],
    ['a length of 2^64 - 1', new Uint8Array(16).fill(255), 'more than 100 MB'],
    ['a header longer than the file', fileOf('{}').slice(0, 9), 'more than the file has'],
    ['a list as header', fileOf('[]'), 'does not start with "{"'],
    ['a space before the header', fileOf(' {}'), 'does not start with "{"'],
    ['a name twice', fileOf(`{"a":${entry(0, 4)},"a":${entry(4, 8)}}`, 8), 'has the key "a" twice'],
    ['a name twice, once escaped', fileOf(`{"a":${entry(0, 4)},"\\u0061":${entry(4, 8)}}`, 8), 'has the key "a" twice'],
    ['overlapping tensors', fileOf(`{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12), '"b" overlaps another'],
    ['a hole', fileOf(`{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12), '"b" follows a hole'],
    ['bytes behind the last tensor', fileOf(`{"a":${entry(0, 4)}}`, 8), 'its tensors take 4 bytes, but 8 follow'],
    ['tensors beyond the end', fileOf(`{"a":${entry(0, 8)}}`, 4), 'its tensors take 8 bytes, but 4 follow'],
    ['a shape that is not its size', fileOf(`{"a":${entry(0, 8, [3])}}`, 8), 'which is not 8 bytes'],
    ['a shape that overflows', fileOf(`{"a":${entry(0, 0, [2 ** 52, 2 ** 52, 2 ** 52])}}`), 'which is not 0 bytes'],
    ['offsets in the wrong order', fileOf(`{"a":${entry(8, 4, [1])}}`, 8), 'bad data_offsets'],
    ['a negative offset', fileOf(`{"a":${entry(-4, 0, [1])}}`), 'an integer from 0 on'],
    ['an unknown dtype', fileOf('{"a":{"dtype":"toString","shape":[],"data_offsets":[0,0]}}'), 'unknown dtype "toString"'],
    ['an unknown field', fileOf('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0],"x":1}}'), 'unknown field "x"'],
    ['a missing field', fileOf('{"a":{"dtype":"F32","shape":[0]}}'), 'lacks its dtype, shape or data_offsets'],
    ['text behind the header', fileOf('{}x'), 'goes on behind the closing "}"'],
    ['bad UTF-8', fileOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a)), 'malformed string'],
    ['an unfinished string', fileOf('{"a\\"'), 'ends within a string'],
  ])('%s', (_, bytes, reason) => {
    expect(() => decodeSafetensors(bytes, 'x.safetensors')).toThrow(reason);
    expect(() => decodeSafetensors(bytes, 'x.safetensors')).toThrow(
      expect.objectContaining({
        exitCode: 3,
        message: expect.stringMatching(/^x\.safetensors is not a valid safetensors file: .*; copy or download it again$/),
      }),
    );
  });

  test('a tensor may be called like a property that every object has', () => {
    const read = decodeSafetensors(encodeSafetensors({ ['__proto__']: { shape: [0], data: new Float32Array(0) } }), 'file');
    expect(Object.keys(read.tensors)).toEqual(['__proto__']);
  });

  test('10,000 damaged headers are read or refused, never worse', () => {
    const random = randomStream(7, 'headers');
    const good = encodeSafetensors(
      {
        'layer1.0.conv1.weight': { shape: [2, 1, 1, 3], data: new Float32Array(6) },
        'fc.bias': { shape: [2], data: new Float32Array(2) },
      },
      { format: 'pt' },
    );
    // Bytes that mean something in the grammar come up more often than chance.
    const telling = Buffer.from('{}[]",:\\0123456789e-. \u0000ÿ');
    let refused = 0;
    for (let trial = 0; trial < 10_000; trial++) {
      let bytes = Buffer.from(good);
      for (let edits = 1 + random.below(3); edits > 0; edits--) {
        const at = random.below(bytes.length);
        const piece = Buffer.from([random.below(2) === 0 ? random.below(256) : telling[random.below(telling.length)]!]);
        const kind = random.below(4);
        if (kind === 0) bytes = Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
        else if (kind === 1) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(8))]);
        else if (kind === 2) bytes = bytes.subarray(0, Math.max(at, 1));
        else bytes[at] = piece[0]!;
      }
      try {
        decodeSafetensors(bytes, 'file');
      } catch (error) {
        if (!(error instanceof TrainerError)) throw error;
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(8_000);
  });

  test.each([
    ['names', `{${Array.from({ length: 400_000 }, (_, at) => `"k${at}":{}`).join(',')}}`],
    ['numbers', `{"a":{"shape":[${'0,'.repeat(4_000_000)}0]}}`],
    ['one string', `{"${'x'.repeat(20 << 20)}":{}}`],
    ['metadata', `{"__metadata__":{${Array.from({ length: 300_000 }, (_, at) => `"k${at}":"v"`).join(',')}}}`],
    ['nesting', '{"a":'.repeat(3_000_000)],
  ])('a large header of %s is refused before it fills memory', (_, header) => {
    const file = fileOf(header);
    const before = process.memoryUsage();
    expect(() => decodeSafetensors(file, 'file')).toThrow(TrainerError);
    const after = process.memoryUsage();
    expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(16 << 20);
  });
});

describe('layouts', () => {
  test('a convolution goes from HWIO to OIHW', () => {
    // [height 1, width 2, in 2, out 3]: value = 100 w + 10 i + o
    const data = Float32Array.of(0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112);
    expect(toTorchLayout({ shape: [1, 2, 2, 3], data })).toEqual({
      shape: [3, 2, 1, 2],
      data: Float32Array.of(0, 100, 10, 110, 1, 101, 11, 111, 2, 102, 12, 112),
    });
  });

  test('a dense matrix is transposed', () => {
    expect(toTorchLayout({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) })).toEqual({
      shape: [3, 2],
      data: Float32Array.of(1, 4, 2, 5, 3, 6),
    });
  });

  test('kernels larger than what is moved at once are whole', () => {
    const shape = [3, 3, 33, 70];
    const data = Float32Array.from({ length: 9 * 33 * 70 }, (_, at) => at);
    const there = toTorchLayout({ shape, data });
    // Output 69, input 32, row 2, column 1.
    expect(there.data[((69 * 33 + 32) * 3 + 2) * 3 + 1]).toBe(((2 * 3 + 1) * 33 + 32) * 70 + 69);
    expect(fromTorchLayout(there)).toEqual({ shape, data });
  });

  test('there and back again is where it was, for every rank', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 5 }), (shape) => {
        const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => at);
        const there = toTorchLayout({ shape, data });
        expect(there.shape).toEqual(torchShape(shape));
        expect(fromTorchLayout(there)).toEqual({ shape, data });
      }),
      { seed: 1 },
    );
  });
});
