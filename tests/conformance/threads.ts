// Runs threads.mjs and tells how its process ended.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** Starts and stops so many threads, one after the other, in a process of their own. */
export async function startAndStopThreads(starts: number, ...endings: readonly string[]): Promise<Ended> {
  const script = new URL('threads.mjs', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, String(starts), ...endings], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, output };
}
