// What a process has and leaves behind, from /proc.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Processes that this one started and that still run. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => statOf(candidate)?.parent === pid && isAlive(candidate));
}

/** Runs, and is no zombie. */
const isAlive = (pid: number): boolean => !['Z', 'X', undefined].includes(statOf(pid)?.state);

/** Milliseconds until all have ended. @throws where one has not within `ms` */
export async function ended(pids: readonly number[], ms: number): Promise<number> {
  const began = performance.now();
  while (pids.some(isAlive)) {
    if (performance.now() - began > ms) throw new Error(`process ${pids.filter(isAlive)} still runs after ${ms} ms`);
    await sleep(10);
  }
  return performance.now() - began;
}

export const openDescriptors = (): number => readdirSync('/proc/self/fd').length;
export const threads = (): number => readdirSync('/proc/self/task').length;
/** Names of shared memory in the system. */
export const sharedMemory = (): string[] => readdirSync('/dev/shm').sort();

/** proc(5): fields 3 (state) and 4 (parent) stand behind the command's name, which is in parentheses. */
function statOf(pid: number): { readonly state: string; readonly parent: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: state!, parent: Number(parent) };
  } catch {
    return undefined;
  }
}
