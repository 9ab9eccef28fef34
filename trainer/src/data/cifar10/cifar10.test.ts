import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { tarOf } from '../files/test-archives.js';
import { loadCifar10 } from './cifar10.js';

const RECORD = 3073;
const LIMITS = { connectMs: 500, stallMs: 500, fruitless: 2, pauseMs: 1, maxBytes: 1e9 };

/** A file of 10,000 records: label of record i is i % 10; pixel p is red `file`, green i % 256, blue p % 256. */
function batch(file: number): Buffer {
  const bytes = Buffer.alloc(10_000 * RECORD);
  const blue = Uint8Array.from({ length: 1024 }, (_, p) => p % 256);
  for (let i = 0; i < 10_000; i++) {
    const at = i * RECORD;
    bytes[at] = i % 10;
    bytes.fill(file, at + 1, at + 1025);
    bytes.fill(i % 256, at + 1025, at + 2049);
    bytes.set(blue, at + 2049);
  }
  return bytes;
}

const NAMES = ['data_batch_1', 'data_batch_2', 'data_batch_3', 'data_batch_4', 'data_batch_5', 'test_batch'];

const archive = (files: readonly { path: string; bytes: Buffer }[]): Buffer => gzipSync(tarOf(files), { level: 1 });
const file = (index: number, bytes = batch(index)) => ({ path: `cifar-10-batches-bin/${NAMES[index]}.bin`, bytes });

/** Its first image has a label that is none. */
function mislabelled(): Buffer {
  const bytes = batch(0);
  bytes[0] = 10;
  return bytes;
}

let folder: string;
let whole: Buffer;
let md5: string;
let served: Buffer;
let requests: number;
const server = http.createServer((_, response) => {
  requests++;
  response.end(served);
});
const origin = () => ({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, md5, limits: LIMITS });

beforeAll(async () => {
  whole = archive([{ path: 'cifar-10-batches-bin/readme.html', bytes: Buffer.from('x') }, ...NAMES.map((_, i) => file(i))]);
  md5 = createHash('md5').update(whole).digest('hex');
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
}, 60_000);
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainer-cifar10-'));
  served = whole;
  requests = 0;
});
afterEach(() => rm(folder, { recursive: true }));

// Some work on 184 MB, as much as the real one.
describe('CIFAR-10', { timeout: 60_000 }, () => {
  it('is downloaded once, unpacked to pixels in order, and then read from the cache', async () => {
    const dataset = await loadCifar10({ cacheDir: folder }, origin());
    expect(dataset).toMatchObject({ name: 'cifar10', origin: 'downloaded' });
    expect(dataset.classes).toHaveLength(10);
    expect(dataset.train).toMatchObject({ count: 50_000, height: 32, width: 32 });
    expect(dataset.test).toMatchObject({ count: 10_000, height: 32, width: 32 });
    expect(dataset.train.labels[20_003]).toBe(3);
    // Image 3 of data_batch_3, pixel 700; image 9,999 of test_batch, pixel 1.
    expect([...dataset.train.images.subarray((20_003 * 1024 + 700) * 3).subarray(0, 3)]).toEqual([2, 3, 700 % 256]);
    expect([...dataset.test.images.subarray((9_999 * 1024 + 1) * 3).subarray(0, 3)]).toEqual([5, 9_999 % 256, 1]);

    const again = await loadCifar10({ cacheDir: folder }, origin());
    expect(again).toMatchObject({ origin: 'cache', hash: dataset.hash });
    expect(requests).toBe(1);
  });

  it('says how to place the file by hand where it cannot be downloaded', async () => {
    const nowhere = { ...origin(), url: 'http://127.0.0.1:1/' };
    await expect(loadCifar10({ cacheDir: folder }, nowhere)).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(
        /no connection .*Place cifar-10-binary\.tar\.gz \(MD5 \w{32}\) at .*data\/cifar-10-binary\.tar\.gz by hand/,
      ),
    });
    expect(await readdir(join(folder, 'data'))).toEqual([]);
  });

  it('never takes a download with another checksum', async () => {
    served = gzipSync('something else');
    await expect(loadCifar10({ cacheDir: folder }, origin())).rejects.toMatchObject({ exitCode: 3 });
    expect(await readdir(join(folder, 'data'))).toEqual([]);
  });

  it.each<[string, () => Buffer, string]>([
    ['lacks files', () => archive([file(0, Buffer.alloc(10_000 * RECORD))]), 'lacks data_batch_2.bin'],
    [
      'has files of other length',
      () => archive([file(0, Buffer.alloc(RECORD))]),
      'holds a data_batch_1.bin of 3073 bytes instead of 30730000',
    ],
    ['has a label that is none', () => archive([file(0, mislabelled())]), 'holds label 10 in data_batch_1.bin'],
    ['is cut off', () => whole.subarray(0, 100_000), 'is damaged'],
    ['is a web page', () => Buffer.from('<html></html>'), 'is a web page'],
  ])('refuses a file placed by hand that %s', async (_what, make, message) => {
    await mkdir(join(folder, 'data'));
    await writeFile(join(folder, 'data', 'cifar-10-binary.tar.gz'), make());
    const attempt = loadCifar10({ cacheDir: folder }, origin());
    await expect(attempt).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining(message) });
    expect(await readdir(join(folder, 'data'))).toEqual(['cifar-10-binary.tar.gz']);
    expect(requests).toBe(0);
  });
});
