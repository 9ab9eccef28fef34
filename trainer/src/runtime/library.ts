// Where the native library is, and getting it there: out of pinned PyPI wheels, through pip, into a cache that checkouts share.
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { environmentError } from '../errors.js';
import { findGpus } from './devices.js';
import { LIBRARIES } from './library-names.js';
import { cacheDir } from './paths.js';
import { downloadWheels, findPip, type Pip } from './pip.js';
import { Staging } from './staging.js';
import { unpackLibraries } from './unpack.js';
import { TENSORFLOW_VERSION, type Variant, type WheelSet, wheelSet } from './wheels.js';

export interface InstallProgress {
  readonly what: 'download' | 'unpack';
  readonly doneMegabytes: number;
  readonly totalMegabytes: number;
}

export interface InstallOptions {
  /** 'auto' (the default): see `pickVariant`. */
  readonly variant?: Variant | 'auto';
  readonly onProgress?: (progress: InstallProgress) => void;
  /** Told in a line what is about to happen, how big and how long. */
  readonly onNotice?: (line: string) => void;
  readonly signal?: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
}

export interface LibraryLocation {
  /** Folder to give to `loadLibrary`. */
  readonly folder: string;
  readonly variant: Variant | 'given';
  readonly version: string;
}

const MARKER = 'complete.json';
const WAIT_MS = 500;
/** The C library of the wheels is built against this one. */
const OLDEST_GLIBC = '2.27';
const folderOf = (root: string, variant: Variant): string => join(root, 'tensorflow', `${TENSORFLOW_VERSION}-${variant}`);
const isComplete = (env: NodeJS.ProcessEnv | undefined, variant: Variant): boolean =>
  existsSync(join(folderOf(cacheDir(env), variant), MARKER));

/**
 * The variant that fits this machine: the one asked for, else `$TRAINER_VARIANT`, else an installed GPU library (it runs on
 * CPUs as well), else GPU where there are GPUs and a library for them.
 */
export async function pickVariant({ variant = 'auto', env = process.env }: InstallOptions = {}): Promise<Variant> {
  if (variant !== 'auto') return variant;
  const wished = env['TRAINER_VARIANT'];
  if (wished === 'cpu' || wished === 'gpu') return wished;
  if (isComplete(env, 'gpu')) return 'gpu';
  return wheelSet('gpu') && (await findGpus(env)).length > 0 ? 'gpu' : 'cpu';
}

/** An installed library: `$TENSORFLOW_LIB`, the wanted variant, or undefined. Takes a millisecond, unless nvidia-smi must be asked. */
export async function findLibrary(options: InstallOptions = {}): Promise<LibraryLocation | undefined> {
  const given = (options.env ?? process.env)['TENSORFLOW_LIB'];
  if (given) {
    if (!existsSync(join(given, LIBRARIES[0])))
      throw environmentError(`TENSORFLOW_LIB is ${given}, which has no ${LIBRARIES[0]}: correct or unset it`);
    return { folder: given, variant: 'given', version: 'unknown' };
  }
  const variant = await pickVariant(options);
  if (!isComplete(options.env, variant)) return undefined;
  return { folder: join(folderOf(cacheDir(options.env), variant), 'tensorflow'), variant, version: TENSORFLOW_VERSION };
}

/**
 * Finds the library or installs it. Two processes at once: the later one waits for the first. Interrupted: downloads that
 * had finished are kept for the next try.
 * @returns undefined where that cannot be: no wheel for this platform, no Python, no pip; `onNotice` said why.
 * @throws TrainerError (exit code 3): no network, a wheel that is not the pinned one, a full disk.
 */
export async function ensureLibrary(options: InstallOptions = {}): Promise<LibraryLocation | undefined> {
  const found = await findLibrary(options);
  if (found) return found;
  const variant = await pickVariant(options);
  const set = wheelSet(variant);
  if (!set || !hasUsableLibc()) {
    options.onNotice?.(
      `TensorFlow has no ${variant} library for this system (${describeSystem()}): training runs on the slower WebAssembly engine`,
    );
    return undefined;
  }
  const pip = await findPip(options.env);
  if (!pip) {
    options.onNotice?.(
      'no Python 3 with pip was found: training runs on the slower WebAssembly engine; install python3 and its pip for one that is many times faster',
    );
    return undefined;
  }
  await install(variant, { set, pip, options });
  return findLibrary({ ...options, variant });
}

/** Whether the wheels' library can be loaded here: on Linux it needs glibc, which Alpine, for one, does not have. */
export function hasUsableLibc(): boolean {
  if (process.platform !== 'linux') return true;
  const version = glibcVersion();
  return version !== undefined && version.localeCompare(OLDEST_GLIBC, 'en', { numeric: true }) >= 0;
}

function glibcVersion(): string | undefined {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime;
}

function describeSystem(): string {
  const libc = process.platform === 'linux' ? `, glibc ${glibcVersion() ?? 'absent'}` : '';
  return `${process.platform}-${process.arch}${libc}`;
}

interface Plan {
  readonly set: WheelSet;
  readonly pip: Pip;
  readonly options: InstallOptions;
}

async function install(variant: Variant, plan: Plan): Promise<void> {
  const { options } = plan;
  const parent = join(cacheDir(options.env), 'tensorflow');
  const staging = await openStaging(parent, variant);
  try {
    if (await waitForOthers(staging, variant, options)) return await staging.remove();
    await staging.inherit();
    await installInto(staging, variant, plan);
    await staging.remove();
  } catch (error) {
    const isFull = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
    await (isFull ? staging.remove() : staging.leave());
    if (!isFull) throw error;
    throw environmentError(
      `the disk of ${parent} is full: free some space, or set TRAINER_CACHE_DIR to another disk, then repeat`,
      {
        cause: error,
      },
    );
  }
}

async function openStaging(parent: string, variant: Variant): Promise<Staging> {
  try {
    await mkdir(parent, { recursive: true });
    return await Staging.open(parent, `${TENSORFLOW_VERSION}-${variant}`);
  } catch (cause) {
    throw environmentError(
      `cannot write to the cache ${parent}: ${(cause as Error).message}; set TRAINER_CACHE_DIR to a folder that can be written`,
      { cause },
    );
  }
}

/** @returns whether another process has installed the library meanwhile. */
async function waitForOthers(staging: Staging, variant: Variant, { env, onNotice, signal }: InstallOptions): Promise<boolean> {
  let told = false;
  while (await staging.isBehind()) {
    if (!told) onNotice?.('another process is installing TensorFlow: waiting for it');
    told = true;
    await sleep(WAIT_MS, undefined, { signal });
  }
  return isComplete(env, variant);
}

async function installInto(staging: Staging, variant: Variant, { set, pip, options }: Plan): Promise<void> {
  const target = folderOf(cacheDir(options.env), variant);
  const downloads = set.wheels.map((w) => w.megabytes);
  const downloadMegabytes = downloads.reduce((sum, megabytes) => sum + megabytes, 0);
  // Wheels go as they are unpacked, and their libraries are larger than they are.
  await checkSpace(staging.folder, set.unpackedMegabytes + Math.max(...downloads));
  options.onNotice?.(
    `installing TensorFlow ${TENSORFLOW_VERSION} (${variant}): ${downloadMegabytes} MB to download, ${set.unpackedMegabytes} MB on disk in ${target}; once, for all checkouts`,
  );
  const wheels = await downloadWheels({ pip, set, folder: staging.wheels, ...options });
  const library = join(staging.folder, 'library');
  await unpackLibraries({ wheels, folder: library, ...options });
  await writeFile(join(library, MARKER), JSON.stringify({ version: TENSORFLOW_VERSION, variant, wheels: set.wheels }, null, 2));
  await moveIntoPlace(library, target);
}

/** The rename is atomic; when another process was first, its library is the same. */
async function moveIntoPlace(library: string, target: string): Promise<void> {
  if (!existsSync(join(target, MARKER))) await rm(target, { recursive: true, force: true });
  await rename(library, target).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
}

async function checkSpace(folder: string, megabytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = Math.floor((bavail * bsize) / 1e6);
  if (free < megabytes)
    throw environmentError(
      `${join(folder, '..')} has ${free} MB free, ${megabytes} MB are needed: free some, or set TRAINER_CACHE_DIR to another disk`,
    );
}
