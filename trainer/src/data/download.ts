// Downloads one file with a known checksum: goes on where it broke off, and never leaves a wrong file behind.
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { setTimeout as pause } from 'node:timers/promises';
import { environmentError } from '../errors.js';
import { errorCode } from '../files.js';
import type { LoadOptions } from './contract.js';
import { cacheError } from './disk.js';
import { PartFile } from './part-file.js';

export interface DownloadOptions extends Pick<LoadOptions, 'onProgress' | 'signal'> {
  readonly url: string;
  /** Hexadecimal, of the whole file. */
  readonly md5: string;
  /** Where the file goes; beside it `<path>.part` keeps what has come so far from one run to the next. */
  readonly path: string;
  /** For progress and messages: 'CIFAR-10'. */
  readonly title: string;
  readonly limits?: DownloadLimits;
}

export interface DownloadLimits {
  /** No answer within this time is no connection. */
  readonly connectMs: number;
  /** No byte within this time is a broken connection. */
  readonly stallMs: number;
  /** Attempts in a row that bring no byte before giving up. */
  readonly fruitless: number;
  readonly pauseMs: number;
  /** Refuses to fill the disk. */
  readonly maxBytes: number;
}

const LIMITS: DownloadLimits = { connectMs: 5_000, stallMs: 20_000, fruitless: 3, pauseMs: 1_000, maxBytes: 1 << 30 };

/** Why a transfer ended before the file was complete. */
class Interruption extends Error {
  constructor(
    /** 'refused': further attempts are pointless. */
    readonly kind: 'no connection' | 'broken' | 'refused',
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * Brings a file that is not there yet. Where another process downloads it already, waits for that.
 * @throws TrainerError (environment) that says what went wrong, not how to do without; the signal's reason when aborted.
 */
export async function download(options: DownloadOptions): Promise<void> {
  let part: PartFile | undefined;
  try {
    part = await claim(options);
    if (!part) return;
    const resumed = await fetchAll(options, part.path);
    if (await matches(part.path, options)) return await part.finish();
    await rm(part.path, { force: true });
    // What was there before the transfer may have been of another file: once more, from the start.
    if (resumed) {
      await fetchAll(options, part.path);
      if (await matches(part.path, options)) return await part.finish();
    }
    await part.remove();
  } catch (error) {
    await part?.leave().catch(() => undefined);
    if (error instanceof Interruption) throw environmentError(`${options.url}: ${error.message}`, { cause: error });
    throw cacheError('write', options.path, error);
  }
  throw environmentError(`${options.url} sends another file than ${options.title} (its MD5 differs from ${options.md5})`);
}

const claim = ({ path, title, signal, onProgress }: DownloadOptions): Promise<PartFile | undefined> =>
  PartFile.claim(path, {
    signal,
    onWait: (done) => onProgress?.({ what: `another process is downloading ${title}`, done, unit: 'bytes' }),
  });

/** Repeats interrupted transfers until the file is complete. Returns whether older bytes were kept. */
async function fetchAll(options: DownloadOptions, part: string): Promise<boolean> {
  const { signal, limits = LIMITS } = options;
  const file = await open(part, 'a+');
  try {
    let resumed = (await file.stat()).size > 0;
    let connected = false;
    for (let fruitless = 0; ; ) {
      const before = (await file.stat()).size;
      try {
        const kept = await transfer(options, file);
        resumed &&= kept;
        await file.sync();
        return resumed;
      } catch (error) {
        signal?.throwIfAborted();
        if (!(error instanceof Interruption) || error.kind === 'refused') throw error;
        connected ||= error.kind === 'broken';
        fruitless = (await file.stat()).size > before ? 0 : fruitless + 1;
        if (!connected || fruitless >= limits.fruitless) throw error;
        await pause(limits.pauseMs * fruitless, undefined, { signal });
      }
    }
  } finally {
    await file.close();
  }
}

/** One request, from where the file ends. Returns whether the bytes already there were kept. */
async function transfer(
  { url, title, onProgress, signal, limits = LIMITS }: DownloadOptions,
  file: FileHandle,
): Promise<boolean> {
  const { size } = await file.stat();
  // One timer, wound up again at each sign of life.
  const silence = new AbortController();
  const expire = (kind: 'no connection' | 'broken', message: string) => () => silence.abort(new Interruption(kind, message));
  let timer = setTimeout(expire('no connection', `no connection within ${limits.connectMs / 1000} s`), limits.connectMs);
  const alive = (): void => {
    clearTimeout(timer);
    timer = setTimeout(expire('broken', 'the connection stalls'), limits.stallMs);
  };
  const either = AbortSignal.any(signal ? [silence.signal, signal] : [silence.signal]);
  let answered = false;
  try {
    const response = await request(new URL(url), size > 0 ? { range: `bytes=${size}-` } : {}, either);
    answered = true;
    alive();
    const start = startOf(response, size);
    if (start === undefined) return true;
    if (start === 0) await file.truncate(0);
    const rest = Number(response.headers['content-length'] ?? Number.NaN);
    const total = Number.isFinite(rest) ? { total: start + rest } : {};
    let done = start;
    for await (const bytes of response as AsyncIterable<Buffer>) {
      alive();
      done += bytes.length;
      if (done > limits.maxBytes) throw new Interruption('refused', 'it sends far more than it should');
      await file.appendFile(bytes);
      onProgress?.({ what: `downloading ${title}`, done, unit: 'bytes', ...total });
    }
    return start > 0;
  } catch (error) {
    throw silence.signal.aborted ? silence.signal.reason : interruption(error, answered);
  } finally {
    clearTimeout(timer);
  }
}

/** The answer's bytes as they come: unlike `fetch`, it never unzips what some servers declare a gzip "encoding". */
async function request(url: URL, headers: Record<string, string>, signal: AbortSignal, redirects = 5): Promise<IncomingMessage> {
  const get = url.protocol === 'https:' ? https.get : http.get;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { headers, signal, agent: false }, resolve).on('error', reject);
  });
  const { location } = response.headers;
  if (location === undefined || ![301, 302, 303, 307, 308].includes(response.statusCode!)) return response;
  response.destroy();
  if (redirects === 0) throw new Interruption('refused', 'it redirects without end');
  return request(new URL(location, url), headers, signal, redirects - 1);
}

/** First byte that the response brings; undefined where there is nothing left to bring. */
function startOf(response: IncomingMessage, size: number): number | undefined {
  const { statusCode: status = 0, statusMessage = '' } = response;
  if (status === 206 && response.headers['content-range']?.startsWith(`bytes ${size}-`)) return size;
  if (status === 200) return 0;
  response.destroy();
  // Range not satisfiable: all of it is here, or more than all; the checksum tells.
  if (status === 416) return undefined;
  throw new Interruption(
    status >= 500 || status === 429 ? 'broken' : 'refused',
    `it answers ${status} ${statusMessage}`.trimEnd(),
  );
}

/** The system's name of a socket error ('ECONNREFUSED') in words; errors of our disk and bugs pass unchanged. */
function interruption(error: unknown, answered: boolean): unknown {
  const code = errorCode(error);
  if (error instanceof Interruption) return error;
  if (answered) {
    return code === 'ECONNRESET' ? new Interruption('broken', 'the connection breaks off', { cause: error }) : error;
  }
  return new Interruption('no connection', `no connection (${code || String(error)})`, { cause: error });
}

async function matches(path: string, { md5, signal }: DownloadOptions): Promise<boolean> {
  const hash: Hash = createHash('md5');
  for await (const bytes of createReadStream(path, { ...(signal && { signal }) })) hash.update(bytes as Uint8Array);
  return hash.digest('hex') === md5;
}
