import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openArchive } from './archive.js';
import { ARCHIVE_LIMITS, ArchiveError, type ArchiveLimits } from './contract.js';
import { TINY_TAR_XZ, tarOf } from './test-archives.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainer-archive-'));
});
afterEach(() => rm(folder, { recursive: true }));

const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));

async function read(
  content: Uint8Array,
  { wanted = () => true, limits = {} }: { wanted?: (path: string) => boolean; limits?: Partial<ArchiveLimits> } = {},
) {
  const path = join(folder, 'data.bin');
  await writeFile(path, content);
  const source = await openArchive(path, { ...ARCHIVE_LIMITS, ...limits });
  const entries: Record<string, string | undefined> = {};
  let read: unknown;
  const onRead = (...progress: unknown[]): void => {
    read = progress;
  };
  for await (const entry of source.entries(wanted, onRead)) {
    entries[entry.folder ? `${entry.path}/` : entry.path] = entry.bytes && Buffer.from(entry.bytes).toString();
  }
  return { entries, read, key: source.key };
}

const FILES = [
  { path: 'a/' },
  { path: 'a/one.txt', bytes: text('one') },
  { path: './a/two.txt', bytes: text('two'.repeat(500)) },
];
const ZIP = { 'a/': text(''), 'a/one.txt': text('one'), 'a/two.txt': text('two'.repeat(500)) };
const EXPECTED = { 'a/': undefined, 'a/one.txt': 'one', 'a/two.txt': 'two'.repeat(500) };

describe.each([
  ['.tar', () => tarOf(FILES)],
  ['.tar.gz', () => gzipSync(tarOf(FILES))],
  ['.tar.xz', () => TINY_TAR_XZ],
  ['.zip', () => zipSync(ZIP)],
])('an archive like %s', (kind, make) => {
  it('is known by its content and gives its files and folders', async () => {
    const { entries, read: progress } = await read(make());
    expect(entries).toEqual(EXPECTED);
    const [done, total] = progress as [number, number];
    expect(done).toBe(total);
  });

  it('reads only what is wanted', async () => {
    const { entries } = await read(make(), { wanted: (path) => path.endsWith('one.txt') });
    expect(entries).toEqual({ ...EXPECTED, 'a/two.txt': undefined });
  });

  it('is refused with too many files, or too large ones', async () => {
    await expect(read(make(), { limits: { files: 2 } })).rejects.toThrow('holds more than 2 files');
    await expect(read(make(), { limits: { fileBytes: 1000 } })).rejects.toThrow('holds a file of 1500 bytes (a/two.txt)');
  });

  it('is refused as a bomb where it unpacks to too much', async () => {
    await expect(read(make(), { limits: { totalBytes: 1400 } })).rejects.toThrow('bomb');
  });

  it('is refused when it is cut off, wherever', async () => {
    const whole = make();
    // One of the two empty blocks at the end of a bare archive is enough.
    const needed = kind === '.tar' ? whole.length - 512 : whole.length;
    for (let length = 1; length < needed; length += Math.ceil(needed / 40)) {
      await expect(read(whole.subarray(0, length)), `${length} bytes`).rejects.toThrow(ArchiveError);
    }
  });
});

describe('openArchive', () => {
  it('is refused as a bomb where it swells too much', async () => {
    const bomb = gzipSync(tarOf([{ path: 'zeros', bytes: Buffer.alloc(3_000_000) }]));
    await expect(read(bomb, { limits: { ratioFromBytes: 1_000_000 } })).rejects.toThrow('bomb');
    const zip = zipSync({ zeros: new Uint8Array(3_000_000) });
    await expect(read(zip, { limits: { ratioFromBytes: 1_000_000 } })).rejects.toThrow('bomb');
  });

  it('does not unpack a second layer of compression', async () => {
    await expect(read(gzipSync(gzipSync(tarOf(FILES), { level: 0 })))).rejects.toThrow('compressed twice');
  });

  it.each(['../evil.jpg', '/etc/evil.jpg', 'a/../../evil.jpg', 'C:\\evil.jpg'])('refuses the path %s', async (path) => {
    await expect(read(tarOf([{ path, bytes: text('x') }]))).rejects.toThrow('leaves the archive');
    await expect(read(zipSync({ [path]: text('x') }))).rejects.toThrow(ArchiveError);
  });

  it('passes links and devices over', async () => {
    const special = [
      { path: 'link.jpg', type: 'SymbolicLink', linkpath: '/etc/passwd' },
      { path: 'hard.jpg', type: 'Link', linkpath: 'a/one.txt' },
      { path: 'device.jpg', type: 'CharacterDevice' },
    ] as const;
    expect((await read(tarOf([...special, ...FILES]))).entries).toEqual(EXPECTED);
    const zip = zipSync({ 'link.jpg': [text('/etc/passwd'), { os: 3, attrs: 0o120777 << 16 }], ...ZIP });
    expect((await read(zip)).entries).toEqual(EXPECTED);
  });

  it('notices a damaged byte', async () => {
    const tar = tarOf(FILES);
    tar[3]! ^= 1;
    await expect(read(tar)).rejects.toThrow('is damaged');
    for (const archive of [gzipSync(tarOf(FILES)), Buffer.from(zipSync(ZIP, { level: 0 })), Buffer.from(TINY_TAR_XZ)]) {
      const bad = Buffer.from(archive);
      bad[Math.floor(bad.length / 3)]! ^= 0x55;
      await expect(read(bad)).rejects.toThrow(ArchiveError);
    }
  });

  it.each([
    ['<!DOCTYPE html><html>Not found</html>', 'is a web page'],
    ['', 'is empty'],
    ['just some text', 'is no archive'],
    ['7z\xbc\xaf\x27\x1c', 'is a 7z archive'],
    ['\xff\xd8\xff\xe0', 'is a JPEG image'],
  ])('says what %j is instead of an archive', async (content, message) => {
    await expect(read(Buffer.from(content, 'latin1'))).rejects.toThrow(message);
  });

  it('has another key when the file changes', async () => {
    const first = await read(tarOf(FILES));
    const second = await read(tarOf(FILES.slice(0, 2)));
    expect(first.key).not.toBe(second.key);
  });
});
