// The bytes of each format, compared with what its own tools write (NumPy 2.4.6, safetensors 0.8.0, TensorBoard 2.21.0).
import type { MetricRecord } from '@trainer/protocol';
import crc32c from 'crc-32/crc32c.js';
import { unzipSync } from 'fflate';
import { describe, expect, test } from 'vitest';
import { metricsCsv } from './csv.js';
import { GradientTable } from './gradients.js';
import { decodeMetric, encodeMetric } from './metrics-lines.js';
import { encodeNpy, encodeNpz } from './npz.js';
import { encodeSafetensors } from './safetensors.js';
import { eventFileName, frame, resumeRecord, scalarRecord, versionRecord } from './tensorboard.js';

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const record = (values: Partial<MetricRecord>): MetricRecord => ({
  step: 1,
  epoch: 1,
  time: 1.5,
  model: 'resnet',
  name: 'train/loss',
  value: 2,
  ...values,
});

describe('NumPy arrays', () => {
  test('float32 [2, 3] has the bytes that numpy.save writes', () => {
    // numpy.save(f, numpy.array([[1, 2, 3], [4, 5, numpy.nan]], dtype='<f4'))
    const bytes = encodeNpy({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, Number.NaN) });
    expect(base64(bytes)).toBe(
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAIA/AAAAQAAAQEAAAIBAAACgQAAAwH8=',
    );
  });

  test('int32 [2] has the bytes that numpy.save writes', () => {
    expect(base64(encodeNpy({ shape: [2], data: Int32Array.of(1, -2) }))).toBe(
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPGk0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoBAAAA/v///w==',
    );
  });

  test('texts have the bytes of a <U5 array, beyond ASCII too', () => {
    // numpy.array(['conv1', 'é😀'], dtype='<U5')
    expect(base64(encodeNpy({ texts: ['conv1', 'é😀'] }))).toBe(
      'k05VTVBZAQB2AHsnZGVzY3InOiAnPFU1JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIApjAAAAbwAAAG4AAAB2AAAAMQAAAOkAAAAA9gEAAAAAAAAAAAAAAAAA',
    );
  });

  test('an archive holds each array as a member, and the same arrays give the same bytes', () => {
    const arrays = { a: { shape: [1], data: Int32Array.of(7) } };
    expect(unzipSync(encodeNpz(arrays))).toEqual({ 'a.npy': encodeNpy(arrays.a) });
    expect(encodeNpz(arrays)).toEqual(encodeNpz(arrays));
  });

  test('values that do not fill the shape are refused', () => {
    expect(() => encodeNpy({ shape: [2, 2], data: new Float32Array(3) })).toThrow('3 values cannot have shape [2,2]');
  });
});

test('safetensors have the bytes that the format’s own library writes', () => {
  // safetensors.numpy.save({'fc.weight': arange(6, dtype='f4').reshape(2, 3), 'fc.bias': array([.5, -.5], dtype='f4')}, {'format': 'pt'})
  const bytes = encodeSafetensors(
    {
      'fc.weight': { shape: [2, 3], data: Float32Array.of(0, 1, 2, 3, 4, 5) },
      'fc.bias': { shape: [2], data: () => Float32Array.of(0.5, -0.5) },
    },
    { format: 'pt' },
  );
  expect(base64(bytes)).toBe(
    'oAAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJmYy5iaWFzIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsyXSwiZGF0YV9vZmZzZXRzIjpbMCw4XX0sImZjLndlaWdodCI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMiwzXSwiZGF0YV9vZmZzZXRzIjpbOCwzMl19fSAgICAgAAAAPwAAAL8AAAAAAACAPwAAAEAAAEBAAACAQAAAoEA=',
  );
});

describe('TensorBoard events', () => {
  test('the first record has the bytes that TensorBoard writes', () => {
    expect(base64(versionRecord(1.5))).toBe('GAAAAAAAAACjf0siCQAAAAAAAPg/Gg1icmFpbi5FdmVudDoyKihkbA==');
  });

  test('scalars of step 300 have the bytes that TensorBoard writes', () => {
    const values = [
      ['train/loss', 0.1],
      ['lr', 0],
    ] as const;
    // A zero is left out by some writers and means the same.
    expect(base64(scalarRecord({ step: 300, time: 1.5, values }))).toBe(
      'LAAAAAAAAAD0rsxFCQAAAAAAAPg/EKwCKh4KEQoKdHJhaW4vbG9zcxXNzMw9CgkKAmxyFQAAAACkCO4P',
    );
  });

  test('a run that goes on after step 300 starts anew at 301, in the bytes that TensorBoard writes', () => {
    expect(base64(resumeRecord(1.5, 300))).toBe('EAAAAAAAAACV+/4YCQAAAAAAAPg/EK0COgIIAdF5SdQ=');
  });

  test('checksums are Castagnoli’s, masked', () => {
    // RFC 3720, appendix B.4: 32 bytes of zeros.
    expect(crc32c.buf(new Uint8Array(32)) >>> 0).toBe(0x8a9136aa);
    expect(frame(new Uint8Array(0))).toHaveLength(16);
  });

  test('names sort by time and hold nothing that a path would mind', () => {
    expect(eventFileName(1.9, 'a/b', 7)).toBe('events.out.tfevents.0000000001.a_b.7.0');
  });
});

describe('metrics.jsonl', () => {
  test('a record is one line with exactly its keys', () => {
    expect(encodeMetric(record({ value: 0.5 }))).toBe(
      '{"step":1,"epoch":1,"time":1.5,"model":"resnet","name":"train/loss","value":0.5}\n',
    );
  });

  test('a value that is not finite is null there, and NaN when read', () => {
    const line = encodeMetric(record({ value: Number.POSITIVE_INFINITY }));
    expect(line).toContain('"value":null');
    expect(decodeMetric(line)).toEqual(record({ value: Number.NaN }));
  });

  test.each([
    '',
    '{"step":1,"epoch":1,"ti',
    'null',
    '[]',
    '{"step":-1,"epoch":1,"time":1,"model":"resnet","name":"lr","value":1}',
    '{"step":1.5,"epoch":1,"time":1,"model":"resnet","name":"lr","value":1}',
    '{"step":1,"epoch":1,"time":1,"model":"other","name":"lr","value":1}',
    '{"step":1,"epoch":1,"time":1,"model":"plain","name":"lr","value":"1"}',
  ])('a line that is no record is passed over: %s', (line) => {
    expect(decodeMetric(line)).toBeUndefined();
  });
});

test('metrics.csv has a row for each step and a column for each metric of each model', async () => {
  const records = [
    record({}),
    record({ model: 'plain', name: 'lr', value: 0.1, time: 2 }),
    record({ step: 2, name: 'grad_norm/a,"b"', value: Number.NaN }),
    record({ step: 2, model: 'gap', name: 'gap/train_error', value: -1 }),
  ];
  const rows: string[] = [];
  for await (const row of metricsCsv(() => records)) rows.push(row);
  expect(rows).toEqual([
    'step,epoch,time,"resnet/grad_norm/a,""b""",resnet/train/loss,plain/lr,gap/gap/train_error\n',
    '1,1,2,,2,0.1,\n',
    '2,1,1.5,NaN,,,-1\n',
  ]);
});

test('gradients.npz is layers x steps for each model that has any', () => {
  const table = new GradientTable();
  table.add(record({ name: 'grad_norm/conv1', value: 1 }));
  table.add(record({ name: 'grad_norm/fc', value: 2, step: 5 }));
  table.add(record({ name: 'train/loss', value: 3, step: 5 }));
  expect(table.arrays()).toEqual({
    resnet: { shape: [2, 2], data: Float32Array.of(1, Number.NaN, Number.NaN, 2) },
    resnet_layers: { texts: ['conv1', 'fc'] },
    resnet_steps: { shape: [2], data: Int32Array.of(1, 5) },
  });
});
