// Tries a library in a process of its own: one that this machine cannot run ends that process, not ours.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { environmentError } from '../errors.js';

export interface Probe {
  readonly version: string;
  readonly loadSeconds: number;
  /** As TensorFlow names them: '/device:GPU:0' of type 'GPU'. A CPU's memory is a token figure. */
  readonly devices: readonly { readonly name: string; readonly type: string; readonly memoryMegabytes: number }[];
}

// The compiled one, from the sources too: a child process has nothing that compiles for it.
const CHILD = fileURLToPath(new URL('../../dist/runtime/probe-child.js', import.meta.url));
const TIMEOUT_MS = 120_000;

/**
 * Loads the library in `folder` and lists its devices.
 * @throws TrainerError (exit code 3) where it cannot be loaded.
 */
export async function probeLibrary(folder: string, env: NodeJS.ProcessEnv = process.env): Promise<Probe> {
  const child = spawn(process.execPath, [CHILD, folder], { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS });
  let said = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-8192);
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...ended) => resolve(ended));
  });
  if (code === 0) return JSON.parse(said) as Probe;
  if (signal === 'SIGILL') throw environmentError('the library needs instructions (AVX) that this CPU lacks');
  const line = /^\w*Error: (.*)$/m.exec(complaint)?.[1] ?? complaint.trim().split('\n').at(-1);
  throw environmentError(
    `the library in ${folder} does not work: ${line || `its process ended by ${signal ?? `exit code ${code}`}`}`,
  );
}
