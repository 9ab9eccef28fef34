import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Packing, readPack, writePack } from './pack.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainer-pack-'));
});
afterEach(() => rm(folder, { recursive: true }));

const packing = (changes: Partial<Packing> = {}): Packing => ({
  name: 'tiny',
  classes: ['Käse', 'dog'],
  notices: ['a notice'],
  skipped: [],
  train: { count: 3, height: 1, width: 2, labels: Int32Array.of(1, 0, 1), images: [bytes(0, 6), bytes(6, 18)] },
  test: { count: 1, height: 1, width: 2, labels: Int32Array.of(0), images: [bytes(18, 24)] },
  ...changes,
});

const bytes = (from: number, to: number): Uint8Array => Uint8Array.from({ length: to - from }, (_, i) => from + i);

describe('a pack', () => {
  it('gives back what went in', async () => {
    const path = join(folder, 'a.pack');
    await writePack(path, packing());
    const pack = (await readPack(path))!;
    expect(pack).toMatchObject({ name: 'tiny', classes: ['Käse', 'dog'], notices: ['a notice'], skipped: [] });
    expect(pack.train).toEqual({ count: 3, height: 1, width: 2, labels: Int32Array.of(1, 0, 1), images: bytes(0, 18) });
    expect(pack.test).toEqual({ count: 1, height: 1, width: 2, labels: Int32Array.of(0), images: bytes(18, 24) });
  });

  it('has the SHA-256 of classes, shapes, labels and images, whatever its name and pieces', async () => {
    const expected = createHash('sha256')
      .update('{"classes":["Käse","dog"],"train":[3,1,2],"test":[1,1,2]}\n')
      .update(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0))
      .update(bytes(0, 24))
      .digest('hex');
    const { train } = packing();
    for (const changes of [{}, { name: 'other', notices: [] }, { train: { ...train, images: [bytes(0, 18)] } }]) {
      await writePack(join(folder, 'a.pack'), packing(changes));
      expect((await readPack(join(folder, 'a.pack')))!.hash).toBe(expected);
    }
  });

  it('has another hash when a label, a class or a pixel differs', async () => {
    const { train, test } = packing();
    const hashes = new Set<string>();
    for (const changes of [
      {},
      { classes: ['cat', 'dog'] },
      { train: { ...train, labels: Int32Array.of(1, 0, 0) } },
      { test: { ...test, images: [bytes(1, 7)] } },
    ]) {
      await writePack(join(folder, 'a.pack'), packing(changes));
      hashes.add((await readPack(join(folder, 'a.pack')))!.hash);
    }
    expect(hashes.size).toBe(4);
  });

  it('is absent where there is no file', async () => {
    expect(await readPack(join(folder, 'none.pack'))).toBeUndefined();
  });

  it('is refused and removed after any change of a byte, told in a line', async () => {
    const path = join(folder, 'a.pack');
    await writePack(path, packing());
    const good = await readFile(path);
    for (let i = 0; i < good.length; i++) {
      const bad = Buffer.from(good);
      bad[i]! ^= 1 << (i % 8);
      await writeFile(path, bad);
      const notices: string[] = [];
      expect(await readPack(path, (line) => notices.push(line)), `byte ${i}`).toBeUndefined();
      expect(notices).toEqual([`${path} is damaged; it is made again`]);
      expect(await readdir(folder)).toEqual([]);
    }
  });

  it('is refused when cut off anywhere or continued', async () => {
    const path = join(folder, 'a.pack');
    await writePack(path, packing());
    const good = await readFile(path);
    for (let length = 0; length < good.length; length += 7) {
      await writeFile(path, good.subarray(0, length));
      expect(await readPack(path), `${length} bytes`).toBeUndefined();
    }
    await writeFile(path, Buffer.concat([good, Buffer.alloc(3)]));
    expect(await readPack(path)).toBeUndefined();
  });

  it('leaves nothing behind when its images fail to come', async () => {
    const images = (function* () {
      yield bytes(0, 6);
      throw new Error('broken source');
    })();
    const failing = packing({ train: { ...packing().train, images } });
    await expect(writePack(join(folder, 'a.pack'), failing)).rejects.toThrow('broken source');
    expect(await readdir(folder)).toEqual([]);
  });

  it('leaves nothing behind when it is aborted', async () => {
    const controller = new AbortController();
    controller.abort(new Error('stopped'));
    await expect(writePack(join(folder, 'a.pack'), packing(), controller.signal)).rejects.toThrow('stopped');
    expect(await readdir(folder)).toEqual([]);
  });

  it('says which folder to change where it cannot be written', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(writePack(join(folder, 'file', 'a.pack'), packing())).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining('TRAINER_CACHE_DIR'),
    });
  });
});
