// What training needs of a machine, looked at piece by piece: what was found, what is wanted, how to mend it.
import { constants } from 'node:fs';
import { access, readdir, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import type { Cpu, Gpu } from '../runtime/devices.js';
import { hasUsableLibc, type LibraryLocation } from '../runtime/library.js';
import type { Pip } from '../runtime/pip.js';
import type { Probe } from '../runtime/probe.js';
import { type Variant, wheelSet } from '../runtime/wheels.js';

/** 'missing': training cannot do without it, or not as fast as this machine allows. */
export type Status = 'ok' | 'warning' | 'missing';

export interface Check {
  readonly id: string;
  readonly title: string;
  readonly status: Status;
  readonly found: string;
  readonly wanted: string;
  /** Absent where there is nothing to mend. */
  readonly mend?: string;
}

/** What the checks are made of: gathered by the doctor, or written down by a test. */
export interface Findings {
  readonly nodeVersion: string;
  readonly pip: Pip | undefined;
  readonly variant: Variant;
  readonly library: LibraryLocation | undefined;
  /** What trying the library gave, or why it does not work. */
  readonly probe: Probe | Error | undefined;
  readonly gpus: readonly Gpu[];
  readonly cpu: Cpu;
}

const OLDEST_NODE = [20, 19];
const DEFAULT_PORT = 7018;
/** Checkpoints and metrics of a few runs. */
const RUNS_MEGABYTES = 1000;
const WASM = 'or train with `--engine wasm`, which is slower';

const check = (
  id: string,
  title: string,
  status: Status,
  { found, wanted, mend }: Pick<Check, 'found' | 'wanted' | 'mend'>,
): Check => ({
  id,
  title,
  status,
  found,
  wanted,
  ...(status !== 'ok' && mend && { mend }),
});

const gigabytes = (megabytes: number): string => `${(megabytes / 1000).toFixed(1)} GB`;

export function checkNode({ nodeVersion }: Findings): Check {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
  const fits = major > OLDEST_NODE[0]! || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]!);
  const wanted = `${OLDEST_NODE.join('.')} or later`;
  return check('node', 'Node.js', fits ? 'ok' : 'missing', { found: nodeVersion, wanted, mend: `install Node.js ${wanted}` });
}

/** pip only brings the library: once that is there, nothing needs it. */
export function checkPip({ pip, library, variant }: Findings): Check {
  const isNeeded = !library && wheelSet(variant) !== undefined;
  return check('pip', 'Python', pip ? 'ok' : isNeeded ? 'missing' : 'warning', {
    found: pip ? `pip ${pip.version}` : 'none',
    wanted: "Python 3 with pip, to install TensorFlow's library",
    mend: `install python3 and its pip (Debian and Ubuntu: apt install python3-pip), ${WASM}`,
  });
}

export function checkLibrary({ library, probe, variant }: Findings): Check {
  const wanted = `TensorFlow's C library, ${library?.variant ?? variant} variant`;
  const about = (status: Status, found: string, mend?: string): Check =>
    check('library', 'TensorFlow', status, { found, wanted, ...(mend && { mend }) });
  if (!wheelSet(variant) || !hasUsableLibc())
    return about('warning', 'none for this system', 'train with the WebAssembly engine, which is slower');
  if (!library) return about('missing', 'not installed', `run \`trainer setup\`, ${WASM}`);
  if (probe instanceof Error || !probe) {
    const again = library.variant === 'given' ? 'unset TENSORFLOW_LIB' : `remove ${dirname(library.folder)}`;
    return about('missing', probe?.message ?? 'not tried', `${again} and run \`trainer setup\`, ${WASM}`);
  }
  return about('ok', `${probe.version} (${library.variant}) in ${library.folder}, loads in ${probe.loadSeconds.toFixed(1)} s`);
}

/** GPUs that the system has and TensorFlow does not see are a driver's or a variant's fault. */
export function checkDevices({ gpus, cpu, probe, library }: Findings): Check {
  const seen = probe && !(probe instanceof Error) ? probe.devices.filter((d) => d.type === 'GPU').length : 0;
  const listed = gpus.map((g) => `GPU ${g.index}: ${g.name}, ${gigabytes(g.memoryMegabytes)}, driver ${g.driver}`);
  const cores = `CPU: ${cpu.model}, ${cpu.cores} cores, ${gigabytes(cpu.memoryMegabytes)}`;
  const unseen = gpus.length - seen;
  return check('devices', 'devices', library && unseen > 0 ? 'missing' : 'ok', {
    found: [...listed, ...(unseen > 0 ? [`${unseen} of them not seen by TensorFlow`] : []), cores].join('; '),
    wanted: gpus.length > 0 ? 'TensorFlow sees each GPU' : 'a CPU, or NVIDIA GPUs',
    mend:
      library?.variant === 'cpu'
        ? 'run `trainer setup --variant gpu`'
        : 'update the NVIDIA driver to 525.60 or later, and look whether CUDA_VISIBLE_DEVICES hides GPUs',
  });
}

export function checkCpu({ cpu }: Findings): Check {
  const isKnown = process.platform === 'linux' && process.arch === 'x64';
  const slow = isKnown && !cpu.features.includes('avx2');
  return check('cpu_features', 'CPU features', slow ? 'warning' : 'ok', {
    found: isKnown ? cpu.features.join(', ') || 'none of note' : `not looked at on ${process.platform}-${process.arch}`,
    wanted: 'avx2; avx512f and avx512_bf16 or amx_bf16 make it faster',
    mend: 'nothing is broken: training on this CPU is slow',
  });
}

/** Room and the right to write in a folder, or where it will be made. */
export async function checkDisk(id: string, title: string, folder: string, wantedMegabytes: number): Promise<Check> {
  const existing = await nearestExisting(folder);
  const writable = await access(existing, constants.W_OK).then(
    () => true,
    () => false,
  );
  const { bavail, bsize } = await statfs(existing);
  const free = (bavail * bsize) / 1e6;
  return check(id, title, writable && free >= wantedMegabytes ? 'ok' : 'missing', {
    found: writable ? `${gigabytes(free)} free in ${folder}` : `${folder} cannot be written`,
    wanted: `${gigabytes(wantedMegabytes)}, writable`,
    mend:
      id === 'cache_disk'
        ? 'free some space, or set TRAINER_CACHE_DIR to another folder'
        : 'free some space, or use `--out` with another folder',
  });
}

/** Room that the library still needs in the cache, and what downloaded images take. */
export function cacheMegabytes({ library, variant }: Findings): number {
  const set = library ? undefined : wheelSet(variant);
  return RUNS_MEGABYTES + (set ? set.unpackedMegabytes + Math.max(...set.wheels.map((w) => w.megabytes)) : 0);
}

export const checkRunDisk = (cwd: string): Promise<Check> => checkDisk('run_disk', 'disk for runs', cwd, RUNS_MEGABYTES);

async function nearestExisting(folder: string): Promise<string> {
  const exists = await access(folder).then(
    () => true,
    () => false,
  );
  return exists || dirname(folder) === folder ? folder : nearestExisting(dirname(folder));
}

export async function checkDataset(cache: string): Promise<Check> {
  const names = await readdir(join(cache, 'data')).catch(() => []);
  const cached = names.filter((name) => /^cifar-?10\b.*\.(pack|gz)$/.test(name));
  return check('dataset', 'CIFAR-10', cached.length > 0 ? 'ok' : 'warning', {
    found: cached.length > 0 ? cached.map((name) => join(cache, 'data', name)).join(', ') : `not in ${join(cache, 'data')}`,
    wanted: 'the images in the cache',
    mend: 'nothing to do: the first run downloads it (170 MB) or, without a network, draws its own images',
  });
}

export async function checkPort(port = DEFAULT_PORT): Promise<Check> {
  const isFree = await new Promise<boolean>((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
  return check('port', `port ${port}`, isFree ? 'ok' : 'warning', {
    found: isFree ? 'free' : 'in use',
    wanted: 'free, for the dashboard',
    mend: 'nothing to do: the next free port is taken',
  });
}
