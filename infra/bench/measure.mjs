// A measurement is a process of its own that prints JSON.
import { spawn } from 'node:child_process';

/** What hangs (a compiler, a rank) must not hang the table. */
const PROCESS_TIMEOUT_MS = 10 * 60_000;

/** Runs a command and returns the JSON that it prints; undefined, with a line on stderr, where it fails. */
export async function measure(command, args, env = {}) {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    timeout: PROCESS_TIMEOUT_MS,
  });
  const written = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].on('data', (data) => (written[name] += data));
  const ended = await new Promise((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code === 0 ? undefined : (signal ?? `exit code ${code}`)));
  });
  if (ended === undefined) return JSON.parse(written.stdout);
  console.error(`bench: ${[command, ...args].join(' ')}: ${ended}: ${written.stderr.trim().split('\n').at(-1) ?? ''}`);
  return undefined;
}
