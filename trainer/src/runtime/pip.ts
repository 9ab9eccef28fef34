// pip as a download tool: wheels by name, version and hash, from whatever index the user's pip is set up for.
import { execFile, spawn } from 'node:child_process';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { environmentError } from '../errors.js';
import type { InstallOptions } from './library.js';
import { WHEEL_PYTHON, type WheelSet } from './wheels.js';

const run = promisify(execFile);
const POLL_MS = 200;

/** The command that runs pip ("python3 -m pip"), or undefined where there is none. */
export async function findPip(env: NodeJS.ProcessEnv = process.env): Promise<readonly string[] | undefined> {
  for (const python of ['python3', 'python']) {
    const command = [python, '-m', 'pip'];
    const works = await run(python, ['-m', 'pip', '--version'], { env, timeout: 20_000 }).then(
      () => true,
      () => false,
    );
    if (works) return command;
  }
  return undefined;
}

interface DownloadOptions extends Pick<InstallOptions, 'onProgress' | 'signal' | 'env'> {
  readonly pip: readonly string[];
  readonly set: WheelSet;
  readonly folder: string;
}

/** Downloads a set's wheels into `folder`, their hashes checked by pip, and returns their paths. */
export async function downloadWheels({
  pip,
  set,
  folder,
  onProgress,
  signal,
  env = process.env,
}: DownloadOptions): Promise<string[]> {
  const temporary = join(folder, 'partial');
  await mkdir(temporary, { recursive: true });
  const requirements = join(folder, 'requirements.txt');
  await writeFile(requirements, set.wheels.map((w) => `${w.requirement} --hash=sha256:${w.sha256}\n`).join(''));
  const totalMegabytes = set.wheels.reduce((sum, w) => sum + w.megabytes, 0);
  // pip's own bar differs from version to version; what it has written so far does not.
  const report = async (): Promise<void> =>
    onProgress?.({ what: 'download', doneMegabytes: Math.min(totalMegabytes, (await bytesBelow(folder)) / 1e6), totalMegabytes });
  const timer = setInterval(() => void report().catch(() => undefined), POLL_MS);
  try {
    await runPip([...pip, ...pipArguments(set, folder, requirements)], { ...env, TMPDIR: temporary }, signal);
  } finally {
    clearInterval(timer);
  }
  onProgress?.({ what: 'download', doneMegabytes: totalMegabytes, totalMegabytes });
  return (await readdir(folder)).filter((name) => name.endsWith('.whl')).map((name) => join(folder, name));
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
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  if (code !== 0) throw environmentError(explain(complaint, code));
}

/** One line out of pip's many. */
function explain(complaint: string, code: number | null): string {
  if (/DO NOT MATCH THE HASHES/i.test(complaint)) {
    return 'a downloaded TensorFlow wheel is not the pinned one (its SHA-256 differs): check the package index that pip is set up for, then repeat';
  }
  if (/NewConnectionError|ConnectTimeout|Temporary failure|Name or service|No matching distribution/i.test(complaint)) {
    return 'pip could not download TensorFlow: check the network and the package index that pip is set up for, then repeat; `--engine wasm` trains without it';
  }
  if (/No space left/i.test(complaint))
    return 'the disk is full: free some space, or set TRAINER_CACHE_DIR to another disk, then repeat';
  const last =
    complaint
      .trim()
      .split('\n')
      .findLast((line) => line.startsWith('ERROR')) ?? `exit code ${code}`;
  return `pip could not download TensorFlow (${last.replace(/^ERROR: /, '')}): repeat, or use \`--engine wasm\``;
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
