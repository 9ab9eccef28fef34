import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeFileSystem } from './file-system.js';
import { loadInitialWeights } from './initial-weights.js';
import { encodeSafetensors } from './safetensors.js';

let folder: string;
beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'weights-'));
});
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

const file = async (name: string, bytes: Uint8Array | string): Promise<string> => {
  await fs.writeFile(path.join(folder, name), bytes);
  return path.join(folder, name);
};

test('weights come in TensorFlow’s layout', async () => {
  const place = await file(
    'weights.safetensors',
    encodeSafetensors({
      'fc.weight': { shape: [3, 2], data: Float32Array.of(1, 4, 2, 5, 3, 6) },
      'fc.bias': { shape: [3], data: Float32Array.of(7, 8, 9) },
    }),
  );
  expect(await loadInitialWeights(place)).toEqual({
    'fc.weight': { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
    'fc.bias': { shape: [3], data: Float32Array.of(7, 8, 9) },
  });
});

test('a file that PyTorch’s state_dict was saved to is read without its batch counters', async () => {
  // safetensors.torch.save of {'bn1.weight': ones(2), 'bn1.num_batches_tracked': tensor(5)}, safetensors 0.8.0
  const header = Buffer.from(
    '{"bn1.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"bn1.weight":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}      ',
  );
  const bytes = Buffer.concat([Buffer.from([header.length, 0, 0, 0, 0, 0, 0, 0]), header, Buffer.alloc(16)]);
  bytes.writeUInt8(5, 8 + header.length);
  bytes.writeFloatLE(1, 16 + header.length);
  bytes.writeFloatLE(1, 20 + header.length);
  expect(await loadInitialWeights(await file('torch.safetensors', bytes))).toEqual({
    'bn1.weight': { shape: [2], data: Float32Array.of(1, 1) },
  });
});

test('what cannot be read is said in one line', async () => {
  const failure = (place: string) => loadInitialWeights(place).catch((error: unknown) => error);
  const missing = path.join(folder, 'missing.safetensors');
  expect(await failure(missing)).toMatchObject({ exitCode: 2, message: `there is no file ${missing}: check what --init says` });
  expect(await failure(folder)).toMatchObject({
    exitCode: 2,
    message: expect.stringMatching(/is a folder: give --init a \.safetensors file/),
  });
  expect(await failure(await file('weights.pt', 'PK\u0003\u0004'))).toMatchObject({
    exitCode: 2,
    message: expect.stringMatching(/is a PyTorch pickle, which can run code: convert it with safetensors\.torch\.save_file/),
  });
  const locked = { ...nodeFileSystem, readFile: () => Promise.reject(Object.assign(new Error('no'), { code: 'EACCES' })) };
  expect(await loadInitialWeights('locked', locked).catch((error: unknown) => error)).toMatchObject({
    exitCode: 3,
    message: 'cannot read locked: permission denied; make it readable, or give --init another file',
  });
  expect(await failure(await file('cut.safetensors', 'abc'))).toMatchObject({ exitCode: 3 });
  expect(await failure(await file('empty.safetensors', encodeSafetensors({})))).toMatchObject({
    exitCode: 3,
    message: `${path.join(folder, 'empty.safetensors')} holds no weights: give --init a file with some`,
  });
});
