// Keeps two processes from writing one run folder. Each would-be writer leaves a file whose name says who it is, and only then
// looks at the others': of two that start at once, the later one sees the earlier (or both see each other, and both give up).
// Nothing is ever taken from a living process, so there is no moment in which two hold the folder.
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { environmentError } from '../errors.js';
import { errorCode } from '../files.js';
import type { FileSystem } from './file-system.js';

const PREFIX = '.writer-';

interface Owner {
  readonly pid: number;
  /** When the process started, in the kernel's ticks since boot, for pids are used again; 0 where the system does not say. */
  readonly started: number;
  readonly host: string;
}

/**
 * Makes this process the folder's writer; files of processes that have ended are removed. Returns what gives the folder back.
 * @throws TrainerError (environment) where another process writes it.
 */
export async function lockRun(fileSystem: FileSystem, folder: string): Promise<() => Promise<void>> {
  const mine = lockName({ pid: process.pid, started: startOf(process.pid) ?? 0, host: hostname() });
  const file = path.join(folder, mine);
  try {
    await (await fileSystem.open(file, 'create')).close();
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw busy(folder, 'this process', file);
    throw error;
  }
  try {
    for (const name of await fileSystem.list(folder)) {
      const owner = name === mine ? undefined : ownerOf(name);
      if (owner === undefined) continue;
      const other = path.join(folder, name);
      if (owner.host !== hostname()) throw busy(folder, `process ${owner.pid} on ${owner.host}`, other);
      if (lives(owner)) throw busy(folder, `process ${owner.pid}`, other);
      await fileSystem.remove(other);
    }
  } catch (error) {
    await fileSystem.remove(file);
    throw error;
  }
  return () => fileSystem.remove(file);
}

const busy = (folder: string, who: string, file: string): Error =>
  environmentError(`${folder} is being written by ${who}: wait for it or stop it (if it has ended, remove ${file})`);

/** A host's name may hold hyphens, so it stands last. */
const lockName = ({ pid, started, host }: Owner): string => `${PREFIX}${pid}-${started}-${host}`;

function ownerOf(name: string): Owner | undefined {
  const match = /^\.writer-(\d+)-(\d+)-(.+)$/.exec(name);
  return match === null ? undefined : { pid: Number(match[1]), started: Number(match[2]), host: match[3]! };
}

function lives({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, as another user's.
    if (errorCode(error) !== 'EPERM') return false;
  }
  return started === 0 || startOf(pid) === started;
}

/** proc(5): fields 3 (state) and 22 (start) stand behind the command's name, which is in parentheses. */
function startOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended and waits only to be counted.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}
