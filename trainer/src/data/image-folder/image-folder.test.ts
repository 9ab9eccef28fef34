import { mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LoadOptions } from '../contract.js';
import { tarOf } from '../files/test-archives.js';
import { loadImageFolder } from './image-folder.js';

let folder: string;
let data: string;
let cacheDir: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainer-images-'));
  data = join(folder, 'pets');
  cacheDir = join(folder, 'cache');
});
afterEach(() => rm(folder, { recursive: true }));

const solid = (width: number, height: number, [r, g, b]: readonly [number, number, number]) =>
  sharp({ create: { width, height, channels: 3, background: { r, g, b } } });

type Files = Readonly<Record<string, Uint8Array>>;

/** Two classes, three training images and one test image of each; red counts the images. */
async function pets(width = 12, height = 10): Promise<Files> {
  const names = [
    'train/cat/1',
    'train/cat/2',
    'train/cat/3',
    'train/dog/1',
    'train/dog/2',
    'train/dog/3',
    'test/cat/1',
    'test/dog/1',
  ];
  const images = await Promise.all(
    names.map((_, i) =>
      solid(width, height, [10 * i, 100, 200])
        .png()
        .toBuffer(),
    ),
  );
  return Object.fromEntries(names.map((name, i) => [`${name}.png`, new Uint8Array(images[i]!)]));
}

async function lay(files: Files, below = data): Promise<void> {
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(below, path)), { recursive: true });
    await writeFile(join(below, path), bytes);
  }
}

async function load(path = data, more: Partial<LoadOptions> = {}) {
  const notices: string[] = [];
  let progressed = 0;
  const dataset = await loadImageFolder(path, {
    cacheDir,
    onNotice: (line) => notices.push(line),
    onProgress: () => progressed++,
    ...more,
  });
  return { dataset, notices, progressed };
}

/** Red of the first pixel of each image. */
const reds = ({ count, height, width, images }: { count: number; height: number; width: number; images: Uint8Array }): number[] =>
  Array.from({ length: count }, (_, n) => images[n * height * width * 3]!);

const usage = (message: string) => ({ name: 'TrainerError', exitCode: 2, message: expect.stringContaining(message) });

describe('a folder of images', () => {
  it('becomes two sets, sorted by class and name', async () => {
    await lay(await pets());
    const { dataset, notices } = await load();
    expect(dataset).toMatchObject({ name: 'pets', origin: data, classes: ['cat', 'dog'] });
    expect(dataset.train).toMatchObject({ count: 6, height: 10, width: 12, labels: Int32Array.of(0, 0, 0, 1, 1, 1) });
    expect(dataset.test).toMatchObject({ count: 2, height: 10, width: 12, labels: Int32Array.of(0, 1) });
    expect(reds(dataset.train)).toEqual([0, 10, 20, 30, 40, 50]);
    expect(reds(dataset.test)).toEqual([60, 70]);
    expect([...dataset.train.images.subarray(0, 6)]).toEqual([0, 100, 200, 0, 100, 200]);
    expect(notices).toEqual([]);
  });

  it('makes the same dataset as its archives, whatever their order and top folder', async () => {
    const files = await pets();
    await lay(files);
    await lay(files, join(folder, 'outer', 'inner'));
    const shuffled = Object.entries(files).reverse();
    await writeFile(
      join(folder, 'pets.tgz'),
      gzipSync(tarOf([{ path: './pets/train/' }, ...shuffled.map(([path, bytes]) => ({ path: `./pets/${path}`, bytes }))])),
    );
    await writeFile(join(folder, 'pets.zip'), zipSync(Object.fromEntries(shuffled)));
    const { hash } = (await load()).dataset;
    for (const name of ['pets.tgz', 'pets.zip', 'outer']) {
      const { dataset } = await load(join(folder, name));
      expect(dataset).toMatchObject({ name, hash, classes: ['cat', 'dog'] });
    }
  });

  it('is read from the cache the second time', async () => {
    await lay(await pets());
    const first = await load();
    const second = await load();
    expect(first.progressed).toBeGreaterThan(0);
    expect(second.progressed).toBe(0);
    expect(second.dataset).toEqual(first.dataset);
  });

  it('is read again when a file has changed', async () => {
    await lay(await pets());
    await load();
    const changed = join(data, 'train/cat/2.png');
    await writeFile(changed, await solid(12, 10, [99, 0, 0]).png().toBuffer());
    await utimes(changed, 1, 1);
    expect(reds((await load()).dataset.train)).toEqual([0, 99, 20, 30, 40, 50]);
    expect(await readdir(join(cacheDir, 'data')), 'the earlier pack is gone').toHaveLength(1);
  });

  it('is read again when its cache is damaged, and says so', async () => {
    await lay(await pets());
    const { dataset } = await load();
    const [pack] = await readdir(join(cacheDir, 'data'));
    const path = join(cacheDir, 'data', pack!);
    await writeFile(path, Buffer.alloc((await stat(path)).size));
    const again = await load();
    expect(again.notices).toEqual([`${path} is damaged; it is made again`]);
    expect(again.dataset).toEqual(dataset);
    expect((await load()).notices).toEqual([]);
  });

  it('follows links, as its owner made them', async () => {
    await lay(await pets(), join(folder, 'elsewhere'));
    await mkdir(data);
    for (const split of ['train', 'test']) await symlink(join(folder, 'elsewhere', split), join(data, split));
    expect((await load()).dataset.train.count).toBe(6);
  });

  it('passes over other files, and says so each time', async () => {
    await lay({
      ...(await pets()),
      'train/cat/notes.txt': Buffer.from('x'),
      'train/cat/.DS_Store': Buffer.from('x'),
      'train/list.csv': Buffer.from('x'),
    });
    for (let time = 0; time < 2; time++) {
      expect((await load()).notices).toEqual([
        `${data}: 1 file that is not .jpg, .png or .webp passed over, such as train/cat/notes.txt`,
      ]);
    }
  });

  it('stops when told to, and leaves nothing behind', async () => {
    await lay(await pets());
    const controller = new AbortController();
    const onProgress = (): void => controller.abort(new Error('interrupted'));
    await expect(load(data, { signal: controller.signal, onProgress })).rejects.toThrow('interrupted');
    expect(await readdir(join(cacheDir, 'data'))).toEqual([]);
  });
});

describe('images of different kinds', () => {
  /** The first test image's pixels after loading it as `bytes`. */
  async function pixelsOf(bytes: Uint8Array, name = 'x.png', size: [number, number] = [12, 10]): Promise<Uint8Array> {
    const { 'test/cat/1.png': _, ...rest } = await pets(...size);
    await lay({ ...rest, [`test/cat/${name}`]: bytes });
    const { test } = (await load()).dataset;
    return test.images.subarray(0, test.height * test.width * 3);
  }

  it('reads grey ones as colour', async () => {
    const grey = await solid(12, 10, [80, 80, 80]).toColourspace('b-w').png().toBuffer();
    expect((await sharp(grey).metadata()).channels).toBe(1);
    expect(new Set(await pixelsOf(grey))).toEqual(new Set([80]));
  });

  it('shows transparent ones on white', async () => {
    const clear = sharp({ create: { width: 12, height: 10, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } } });
    expect(new Set(await pixelsOf(await clear.png().toBuffer()))).toEqual(new Set([255]));
  });

  it('reads CMYK, WebP and 16 bits', async () => {
    const image = solid(12, 10, [200, 40, 40]);
    const kinds: [string, Buffer][] = [
      ['cmyk.jpg', await image.clone().toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer()],
      ['x.webp', await image.clone().webp({ lossless: true }).toBuffer()],
      ['deep.png', await image.clone().toColourspace('rgb16').png().toBuffer()],
    ];
    expect((await sharp(kinds[0]![1]).metadata()).space).toBe('cmyk');
    expect((await sharp(kinds[2]![1]).metadata()).depth).toBe('ushort');
    for (const [name, bytes] of kinds) {
      const [r, g, b] = await pixelsOf(bytes, name);
      // CMYK inks cannot show every colour: near is right.
      for (const [value, expected] of [
        [r!, 200],
        [g!, 40],
        [b!, 40],
      ] as const)
        expect(Math.abs(value - expected), name).toBeLessThan(25);
      await rm(data, { recursive: true });
    }
  });

  it('turns them as their EXIF orientation says', async () => {
    const top = await solid(10, 6, [255, 0, 0]).png().toBuffer();
    const upright = sharp({ create: { width: 10, height: 12, channels: 3, background: { r: 0, g: 0, b: 255 } } }).composite([
      { input: top, gravity: 'north' },
    ]);
    // Lying on its side, with the note to turn it by a quarter.
    const lying = await sharp(await upright.png().toBuffer())
      .rotate(270)
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    const pixels = await pixelsOf(lying, 'x.png', [10, 12]);
    expect([...pixels.subarray(0, 3)]).toEqual([255, 0, 0]);
    expect([...pixels.subarray(-3)]).toEqual([0, 0, 255]);
  });

  it('brings different sizes to the median, cut at the centre, and says so', async () => {
    const files = { ...(await pets(60, 40)), 'train/cat/2.png': new Uint8Array(await solid(50, 90, [7, 7, 7]).png().toBuffer()) };
    await lay(files);
    const { dataset, notices } = await load();
    expect(dataset.train).toMatchObject({ count: 6, height: 40, width: 40 });
    expect(reds(dataset.train)).toEqual([0, 7, 20, 30, 40, 50]);
    expect(notices).toEqual([`${data}: images of different or large sizes brought to 40x40, cut at the centre`]);
  });

  it('brings large ones down to 224, and keeps small ones that agree', async () => {
    await lay(await pets(300, 260));
    expect((await load()).dataset.train).toMatchObject({ height: 224, width: 224 });
    await rm(data, { recursive: true });
    await lay(await pets(28, 28));
    expect((await load()).dataset.train).toMatchObject({ height: 28, width: 28 });
  });
});

describe('unreadable images', () => {
  beforeEach(async () => {
    const files = await pets();
    await lay({
      ...files,
      'train/cat/0.png': Buffer.from('not an image'),
      'test/dog/9.png': files['test/dog/1.png']!.slice(0, 60),
    });
  });

  it('are counted, named and refused', async () => {
    await expect(load()).rejects.toMatchObject(usage('2 of 10 images cannot be read (test/dog/9.png, train/cat/0.png)'));
    expect(await readdir(join(cacheDir, 'data'))).toEqual([]);
  });

  it('are left out on request, and named', async () => {
    const { dataset, notices } = await load(data, { skipBadImages: true });
    expect(reds(dataset.train)).toEqual([0, 10, 20, 30, 40, 50]);
    expect(reds(dataset.test)).toEqual([60, 70]);
    expect(notices).toEqual([`${data}: 2 images that cannot be read left out: test/dog/9.png, train/cat/0.png`]);
  });

  it('are refused again once the request is gone, in spite of the cache', async () => {
    await load(data, { skipBadImages: true });
    await expect(load()).rejects.toMatchObject(usage('--skip-bad-images'));
  });

  it('do not count as images of their class', async () => {
    for (const name of ['1', '2', '3']) await writeFile(join(data, `train/dog/${name}.png`), 'broken');
    await expect(load(data, { skipBadImages: true })).rejects.toMatchObject(usage('train/dog has no images'));
  });
});

describe('data that cannot be trained on', () => {
  const without = (files: Files, pattern: RegExp): Files =>
    Object.fromEntries(Object.entries(files).filter(([path]) => !pattern.test(path)));

  const text = Buffer.from('x');

  it.each<[string, (cases: { two: Files; three: Files }) => Files, string]>([
    [
      'a class without training images',
      ({ three }) => ({ ...without(three, /train\/dog/), 'train/dog/a.md': text }),
      'train/dog has no images',
    ],
    [
      'a class without test images',
      ({ three }) => ({ ...without(three, /test\/dog/), 'test/dog/a.md': text }),
      'test/dog has no images',
    ],
    ['one class only', ({ two }) => without(two, /dog/), 'one class only (cat)'],
    [
      'a class in test that is not in train',
      ({ three }) => without(three, /train\/dog/),
      'class dog is in test/ but not in train/',
    ],
    ['a class in train that is not in test', ({ two }) => without(two, /test\/dog/), 'class dog is in train/ but not in test/'],
    ['too few images', ({ two }) => without(two, /train\/dog\/[12]/), 'class dog has too few training images: 1'],
    ['no training set', ({ two }) => without(two, /train/), 'it has no train/CLASS/ images'],
    ['no test set', ({ two }) => without(two, /test/), 'it has no test/CLASS/ images'],
    ['nothing at all', () => ({ 'readme.md': text }), 'it has neither train/CLASS/ nor test/CLASS/ images'],
    ['CIFAR-10 in binary form', () => ({ 'cifar-10-batches-bin/data_batch_1.bin': text }), '--data cifar10'],
  ])('is refused: %s', async (_what, choose, message) => {
    const two = await pets();
    const third = Object.entries(two).filter(([path]) => path.includes('cat'));
    const three = { ...two, ...Object.fromEntries(third.map(([path, bytes]) => [path.replace('cat', 'eel'), bytes])) };
    const zip = join(folder, 'pets.zip');
    await writeFile(zip, zipSync(choose({ two, three })));
    const error: unknown = await load(zip).catch((e: unknown) => e);
    expect(error).toMatchObject(usage(message));
    expect(error).toMatchObject(usage(zip));
    expect(await readdir(join(cacheDir, 'data'))).toEqual([]);
  });

  it('names a path that does not exist', async () => {
    await expect(load(join(folder, 'pest'))).rejects.toMatchObject(usage('pest: no such file or folder'));
  });

  it('says when a web page came instead of an archive', async () => {
    await writeFile(join(folder, 'pets.zip'), '<!doctype html><title>404</title>');
    await expect(load(join(folder, 'pets.zip'))).rejects.toMatchObject(usage('is a web page'));
  });

  it('refuses images of two top folders', async () => {
    const files = await pets();
    const zip = join(folder, 'pets.zip');
    await writeFile(
      zip,
      zipSync(Object.fromEntries(Object.entries(files).map(([p, b]) => [p.startsWith('test') ? `b/${p}` : `a/${p}`, b]))),
    );
    await expect(load(zip)).rejects.toMatchObject(usage('in two places (a/ and b/)'));
  });

  it('keeps control characters of an archive off the terminal', async () => {
    const files = { 'train/\x1b[2J/1.png': Buffer.from('x'), ...(await pets()) };
    await writeFile(join(folder, 'pets.tar'), tarOf(Object.entries(files).map(([path, bytes]) => ({ path, bytes }))));
    await expect(load(join(folder, 'pets.tar'))).rejects.toMatchObject(usage('(train/?[2J/1.png)'));
  });
});
