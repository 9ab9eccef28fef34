// Where the native library is, and getting it there: out of pinned PyPI wheels, through pip, into a cache that checkouts share.
import { existsSync } from 'node:fs';
import { access, mkdir, readdir, rename, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { environmentError } from '../errors.js';
import { LIBRARIES } from './capi.js';
import { findGpus } from './devices.js';
import { cacheDir } from './paths.js';
import { downloadWheels, findPip } from './pip.js';
import { unpackLibraries } from './unpack.js';
import { TENSORFLOW_VERSION, type Variant, type WheelSet, wheelSet } from './wheels.js';

export interface InstallProgress {
  readonly what: 'download' | 'unpack';
  readonly doneMegabytes: number;
  readonly totalMegabytes: number;
}

export interface InstallOptions {
  /** 'auto' takes the GPU library where nvidia-smi lists a GPU. */
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
const folderOf = (root: string, variant: Variant): string => join(root, 'tensorflow', `${TENSORFLOW_VERSION}-${variant}`);

/** The variant that fits this machine: GPU where there are GPUs and a library for them. */
export async function pickVariant(asked: Variant | 'auto' = 'auto'): Promise<Variant> {
  if (asked !== 'auto') return asked;
  return wheelSet('gpu') && (await findGpus()).length > 0 ? 'gpu' : 'cpu';
}

/** An installed library: `$TENSORFLOW_LIB`, the wanted variant, or undefined. Fast: no process is started unless the variant is 'auto'. */
export async function findLibrary({ variant, env = process.env }: InstallOptions = {}): Promise<LibraryLocation | undefined> {
  const given = env['TENSORFLOW_LIB'];
  if (given) {
    if (!existsSync(join(given, LIBRARIES[0])))
      throw environmentError(`TENSORFLOW_LIB is ${given}, which has no ${LIBRARIES[0]}: correct or unset it`);
    return { folder: given, variant: 'given', version: 'unknown' };
  }
  const wanted = await pickVariant(variant);
  const root = folderOf(cacheDir(env), wanted);
  const complete = await access(join(root, MARKER)).then(
    () => true,
    () => false,
  );
  return complete ? { folder: join(root, 'tensorflow'), variant: wanted, version: TENSORFLOW_VERSION } : undefined;
}

/**
 * Finds the library or installs it.
 * @returns undefined where that cannot be: no wheel for this platform, no Python, no pip; `onNotice` said why.
 * @throws TrainerError (exit code 3): no network, a wheel that is not the pinned one, a full disk.
 */
export async function ensureLibrary(options: InstallOptions = {}): Promise<LibraryLocation | undefined> {
  const found = await findLibrary(options);
  if (found) return found;
  const variant = await pickVariant(options.variant);
  const set = wheelSet(variant);
  if (!set) {
    options.onNotice?.(`TensorFlow has no ${variant} library for ${process.platform}-${process.arch}`);
    return undefined;
  }
  const pip = await findPip(options.env);
  if (!pip) {
    options.onNotice?.('no Python 3 with pip was found: install python3 and pip for an engine that is many times faster');
    return undefined;
  }
  await install(variant, set, pip, options);
  return findLibrary({ ...options, variant });
}

async function install(variant: Variant, set: WheelSet, pip: readonly string[], options: InstallOptions): Promise<void> {
  const target = folderOf(cacheDir(options.env), variant);
  const parent = join(target, '..');
  const downloadMegabytes = set.wheels.reduce((sum, w) => sum + w.megabytes, 0);
  await mkdir(parent, { recursive: true }).catch((cause: Error) => {
    throw environmentError(
      `cannot write to the cache ${parent}: ${cause.message}; set TRAINER_CACHE_DIR to a folder that can be written`,
      { cause },
    );
  });
  await removeAbandoned(parent);
  await checkSpace(parent, downloadMegabytes + set.unpackedMegabytes);
  options.onNotice?.(
    `installing TensorFlow ${TENSORFLOW_VERSION} (${variant}): ${downloadMegabytes} MB to download, ${set.unpackedMegabytes} MB on disk in ${target}; once, for all checkouts`,
  );
  const staging = join(parent, `.staging-${process.pid}`);
  try {
    const wheels = await downloadWheels({ pip, set, folder: join(staging, 'wheels'), ...options });
    const library = join(staging, 'library');
    await unpackLibraries({ wheels, folder: library, ...options });
    await writeFile(join(library, MARKER), JSON.stringify({ version: TENSORFLOW_VERSION, variant, wheels: set.wheels }, null, 2));
    await moveIntoPlace(library, target);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** The rename is atomic; when another process was first, its library is the same. */
async function moveIntoPlace(library: string, target: string): Promise<void> {
  if (!existsSync(join(target, MARKER))) await rm(target, { recursive: true, force: true });
  await rename(library, target).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
}

/** Stagings of processes that are gone, left by an interruption. */
async function removeAbandoned(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = /^\.staging-(\d+)$/.exec(name)?.[1];
    if (pid && !isAlive(Number(pid))) await rm(join(parent, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function checkSpace(folder: string, megabytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = Math.floor((bavail * bsize) / 1e6);
  if (free < megabytes)
    throw environmentError(
      `${folder} has ${free} MB free, ${megabytes} MB are needed: free some, or set TRAINER_CACHE_DIR to another disk`,
    );
}
