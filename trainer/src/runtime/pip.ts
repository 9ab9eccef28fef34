// pip as a download tool: wheels by name, version and hash, from whatever index the user's pip is set up for.
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { environmentError } from '../errors.js';
import type { InstallOptions } from './library.js';
import { WHEEL_PYTHON, type Wheel, type WheelSet } from './wheels.js';

const run = promisify(execFile);
const POLL_MS = 200;
const CANDIDATES = [['python3', '-m', 'pip'], ['python', '-m', 'pip'], ['pip3'], ['pip']];

export interface Pip {
  /** What runs it, such as "python3 -m pip". */
  readonly command: readonly string[];
  /** "24.0, Python 3.11" */
  readonly version: string;
}

/** The first pip of a Python 3 that runs, or undefined where there is none. */
export async function findPip(env: NodeJS.ProcessEnv = process.env): Promise<Pip | undefined> {
  for (const command of CANDIDATES) {
    const [program, ...args] = command;
    const said = await run(program!, [...args, '--version'], { env, timeout: 20_000 }).then(
      ({ stdout }) => stdout,
      () => '',
    );
    const found = /^pip ([\w.]+) .*\(python (3[\d.]*)\)/.exec(said);
    if (found) return { command, version: `${found[1]}, Python ${found[2]}` };
  }
  return undefined;
}

interface DownloadOptions extends Pick<InstallOptions, 'onProgress' | 'signal' | 'env'> {
  readonly pip: Pip;
  readonly set: WheelSet;
  readonly folder: string;
}

/**
 * Downloads a set's wheels into `folder`, their hashes checked by pip, and returns their paths. A run of pip for each, so that
 * those already there are kept when a later one is interrupted.
 * @throws TrainerError (exit code 3) where pip fails.
 */
export async function downloadWheels(options: DownloadOptions): Promise<string[]> {
  const { set, folder, onProgress } = options;
  const totalMegabytes = set.wheels.reduce((sum, w) => sum + w.megabytes, 0);
  // pip's own bar differs from version to version; what it has written so far does not.
  const report = async (): Promise<void> =>
    onProgress?.({ what: 'download', doneMegabytes: Math.min(totalMegabytes, (await bytesBelow(folder)) / 1e6), totalMegabytes });
  const timer = setInterval(() => void report().catch(() => undefined), POLL_MS);
  try {
    const paths: string[] = [];
    for (const wheel of set.wheels) paths.push((await present(folder, wheel)) ?? (await download(wheel, options)));
    onProgress?.({ what: 'download', doneMegabytes: totalMegabytes, totalMegabytes });
    return paths;
  } finally {
    clearInterval(timer);
  }
}

async function download(wheel: Wheel, { pip, set, folder, signal, env = process.env }: DownloadOptions): Promise<string> {
  const temporary = join(folder, 'partial');
  await mkdir(temporary, { recursive: true });
  const requirements = join(temporary, 'requirements.txt');
  await writeFile(requirements, `${wheel.requirement} --hash=sha256:${wheel.sha256}\n`);
  const command = [...pip.command, ...pipArguments(set, folder, requirements)];
  await runPip(command, { ...env, TMPDIR: temporary }, signal);
  const path = await fileOf(folder, wheel);
  if (!path)
    throw environmentError(`pip ended well but left no wheel of ${wheel.requirement} in ${folder}: repeat with another pip`);
  return path;
}

/** The wheel's path if an earlier try left it there whole; a broken one is removed. */
async function present(folder: string, wheel: Wheel): Promise<string | undefined> {
  const path = await fileOf(folder, wheel);
  if (!path) return undefined;
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  if (hash.digest('hex') === wheel.sha256) return path;
  await rm(path);
  return undefined;
}

/** Wheel names begin with the project's name, its dashes and dots as underscores, and the version. */
async function fileOf(folder: string, { requirement }: Wheel): Promise<string | undefined> {
  const [project, version] = requirement.split('==');
  const start = `${project!.replace(/[-.]+/g, '_')}-${version}-`.toLowerCase();
  const name = (await readdir(folder)).find((n) => n.toLowerCase().startsWith(start) && n.endsWith('.whl'));
  return name && join(folder, name);
}

const pipArguments = (set: WheelSet, folder: string, requirements: string): string[] => [
  'download',
  '--no-deps',
  '--no-cache-dir',
  '--require-hashes',
  '--only-binary=:all:',
  '--progress-bar=off',
  '--disable-pip-version-check',
  `--python-version=${WHEEL_PYTHON.version}`,
  `--implementation=${WHEEL_PYTHON.implementation}`,
  `--abi=${WHEEL_PYTHON.abi}`,
  '--abi=none',
  ...set.platforms.map((platform) => `--platform=${platform}`),
  '--dest',
  folder,
  '-r',
  requirements,
];

async function runPip(command: readonly string[], env: NodeJS.ProcessEnv, signal: AbortSignal | undefined): Promise<void> {
  const [program, ...args] = command;
  const child = spawn(program!, args, { env, stdio: ['ignore', 'ignore', 'pipe'], ...(signal && { signal }) });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-8192);
  });
  // An interruption ends when pip has ended, so that it writes to nothing that is being removed.
  let failure: Error | undefined;
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', (error) => {
      failure = error;
      if (child.pid === undefined) reject(error);
    });
    child.on('close', resolve);
  });
  if (failure) throw failure;
  if (code !== 0) throw environmentError(explain(complaint, code));
}

const AGAIN = 'then repeat; `--engine wasm` trains without it';

/** One line out of pip's many. */
function explain(complaint: string, code: number | null): string {
  if (/DO NOT MATCH THE HASHES/i.test(complaint))
    return 'a downloaded TensorFlow wheel is not the pinned one (its SHA-256 differs): check the package index that pip is set up for, then repeat';
  if (/No space left|Disk quota/i.test(complaint))
    return 'the disk is full: free some space, or set TRAINER_CACHE_DIR to another disk, then repeat';
  if (
    /NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|Temporary failure|Name or service|No matching distribution/i.test(
      complaint,
    )
  )
    return `pip could not download TensorFlow: check the network and the package index that pip is set up for, ${AGAIN}`;
  const last =
    complaint
      .trim()
      .split('\n')
      .findLast((line) => line.startsWith('ERROR')) ?? `exit code ${code}`;
  return `pip could not download TensorFlow (${last.replace(/^ERROR: /, '')}): mend that, ${AGAIN}`;
}

async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = entries
    .filter((e) => e.isFile())
    .map((e) =>
      stat(join(e.parentPath, e.name)).then(
        (s) => s.size,
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
