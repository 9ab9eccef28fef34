import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type DownloadOptions, download } from './download.js';

const CONTENT = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 31) % 251));
const MD5 = createHash('md5').update(CONTENT).digest('hex');
const LIMITS = { connectMs: 3000, stallMs: 600, fruitless: 3, pauseMs: 1, maxBytes: 1e6 };

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let folder: string;
let path: string;
let server: http.Server;
let handler: Handler;
let ranges: (string | undefined)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainer-download-'));
  path = join(folder, 'file.bin');
  ranges = [];
  server = http.createServer((request, response) => {
    ranges.push(request.headers.range);
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

const url = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/file.bin`;
const start = (more: Partial<DownloadOptions> = {}) =>
  download({ url: url(), md5: MD5, path, title: 'the file', limits: LIMITS, ...more });

/** Serves `content` and honours ranges, up to `bytes` a request; what is then cut off is a broken connection. */
const serve =
  (content: Buffer, bytes = Number.POSITIVE_INFINITY): Handler =>
  (request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (from >= content.length) return void response.writeHead(416).end();
    const status = request.headers.range === undefined ? 200 : 206;
    response.writeHead(status, {
      'content-length': content.length - from,
      ...(status === 206 && { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
    });
    response.write(content.subarray(from, from + bytes), () => {
      // Ends the connection rather than resets it: a reset may overtake what was sent.
      if (from + bytes < content.length) response.socket!.end();
      else response.end();
    });
  };

const expectWhole = async (): Promise<void> => {
  expect((await readFile(path)).equals(CONTENT)).toBe(true);
  expect(await readdir(folder)).toEqual(['file.bin']);
};

describe('download', () => {
  it('brings the file and tells how far it is', async () => {
    handler = serve(CONTENT);
    const progress: { done: number; total?: number }[] = [];
    await start({ onProgress: (p) => progress.push(p) });
    await expectWhole();
    expect(progress.at(-1)).toMatchObject({ done: 200_000, total: 200_000, unit: 'bytes', what: 'downloading the file' });
  });

  it('goes on where the connection broke off, as often as it brings something', async () => {
    handler = serve(CONTENT, 30_000);
    await start();
    await expectWhole();
    // A connection may break off before what it carried is read: the same range is then asked for again.
    expect([...new Set(ranges)].slice(0, 3)).toEqual([undefined, 'bytes=30000-', 'bytes=60000-']);
  });

  it('goes on where an earlier run stopped', async () => {
    await writeFile(`${path}.part`, CONTENT.subarray(0, 150_000));
    handler = serve(CONTENT);
    await start();
    await expectWhole();
    expect(ranges).toEqual(['bytes=150000-']);
  });

  it('takes what a killed process left, however it is called, and cleans up', async () => {
    const left = `${path}.0000000000-left.part`;
    await writeFile(left, CONTENT.subarray(0, 150_000));
    await writeFile(`${path}.part`, CONTENT.subarray(0, 1000));
    await utimes(left, 1, 1);
    handler = serve(CONTENT);
    await start();
    await expectWhole();
    expect(ranges).toEqual(['bytes=150000-']);
  });

  it('of several at once one downloads, and the others wait and take its file', async () => {
    handler = serve(CONTENT);
    await Promise.all([start(), start(), start()]);
    await expectWhole();
    expect(ranges).toEqual([undefined]);
  });

  it('where the one that downloads stops, one that waited goes on from there', async () => {
    const controller = new AbortController();
    const waiting: string[] = [];
    let second: Promise<void> | undefined;
    handler = (_, response) => {
      response.writeHead(200, { 'content-length': CONTENT.length }).write(CONTENT.subarray(0, 60_000));
      handler = serve(CONTENT);
    };
    const onProgress = ({ done }: { done: number }): void => {
      if (done < 60_000) return;
      second ??= start({
        onProgress: ({ what }) => {
          waiting.push(what);
          controller.abort(new Error('interrupted'));
        },
      });
    };
    await expect(start({ onProgress, signal: controller.signal })).rejects.toThrow('interrupted');
    await second;
    await expectWhole();
    expect(waiting[0]).toBe('another process is downloading the file');
    expect(ranges).toEqual([undefined, 'bytes=60000-']);
  });

  it('takes a complete part as it is', async () => {
    await writeFile(`${path}.part`, CONTENT);
    handler = serve(CONTENT);
    await start();
    await expectWhole();
  });

  it('starts over where the server ignores ranges', async () => {
    await writeFile(`${path}.part`, CONTENT.subarray(0, 1000));
    handler = (_, response) => response.end(CONTENT);
    await start();
    await expectWhole();
  });

  it('starts over once where the earlier part was of another file', async () => {
    await writeFile(`${path}.part`, Buffer.alloc(1000, 7));
    handler = serve(CONTENT);
    await start();
    await expectWhole();
    expect(ranges).toEqual(['bytes=1000-', undefined]);
  });

  it('refuses wrong bytes and keeps none of them', async () => {
    handler = serve(Buffer.alloc(5000, 1));
    await expect(start()).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining('its MD5 differs') });
    expect(await readdir(folder)).toEqual([]);
  });

  it('gives up on a server that stalls, and keeps what came', async () => {
    handler = (_, response) => void response.writeHead(200, { 'content-length': 10 }).write('abc');
    await expect(start()).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining('stalls') });
    expect(await readdir(folder)).toEqual(['file.bin.part']);
  });

  it('takes silence at the start for no connection, at once', async () => {
    handler = () => undefined;
    const attempt = start({ limits: { ...LIMITS, connectMs: 300 } });
    await expect(attempt).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining('no connection within 0.3 s') });
    expect(ranges).toHaveLength(1);
  });

  it('says that there is no connection where nobody listens', async () => {
    const port = (server.address() as AddressInfo).port;
    await new Promise((resolve) => server.close(resolve));
    const attempt = download({ url: `http://127.0.0.1:${port}/`, md5: MD5, path, title: 'the file', limits: LIMITS });
    await expect(attempt).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining('no connection (ECONNREFUSED)'),
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  it.each([
    [404, 1],
    [503, 3],
  ])('on answer %i asks %i times', async (status, times) => {
    handler = (_, response) => response.writeHead(status).end();
    await expect(start()).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining(`answers ${status}`) });
    expect(ranges).toHaveLength(times);
  });

  it('follows redirects, but not for ever', async () => {
    const whole = serve(CONTENT);
    handler = (request, response) => {
      if (request.url === '/moved') whole(request, response);
      else response.writeHead(302, { location: '/moved' }).end();
    };
    await start();
    await expectWhole();
    await rm(path);
    handler = (_, response) => response.writeHead(302, { location: '/file.bin' }).end();
    await expect(start()).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining('redirects') });
  });

  it('takes the bytes as they are when the server calls gzip an encoding', async () => {
    handler = (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(CONTENT);
    await start();
    await expectWhole();
  });

  it('does not let a server fill the disk', async () => {
    handler = (_, response) => response.end(Buffer.alloc(2_000_000));
    await expect(start()).rejects.toMatchObject({ exitCode: 3, message: expect.stringContaining('more than it should') });
  });

  it('stops when told to, with the reason it was given', async () => {
    const controller = new AbortController();
    handler = (_, response) => {
      response.writeHead(200, { 'content-length': 10 }).write('abc');
      controller.abort(new Error('interrupted'));
    };
    await expect(start({ signal: controller.signal })).rejects.toThrow('interrupted');
  });
});
