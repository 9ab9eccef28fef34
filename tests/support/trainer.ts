// Runs the real `trainer` command as a process, as a user would.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const PROGRAM = new URL('../../trainer/bin/trainer.mjs', import.meta.url).pathname;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningTrainer {
  readonly process: ChildProcess;
  /** Resolves once stderr matches; rejects where the process ends before. */
  said(pattern: RegExp): Promise<void>;
  readonly ended: Promise<Ended>;
}

export interface TrainerOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Settings of the tester's own must not reach the tests. */
const cleanEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('TRAINER_') || name === 'TRAINER_CACHE_DIR'),
  );

export function startTrainer(args: readonly string[], { cwd, env = {} }: TrainerOptions): RunningTrainer {
  const child = spawn(process.execPath, [PROGRAM, ...args], { cwd, env: { ...cleanEnvironment(), CI: '1', ...env } });
  const text = { stdout: '', stderr: '' };
  const waiting = new Set<() => void>();
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (chunk: string) => {
      text[stream] += chunk;
      for (const check of waiting) check();
    });
  }
  const ended = new Promise<Ended>((resolve) => child.on('close', (code, signal) => resolve({ code, signal, ...text })));
  const said = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (!pattern.test(text.stderr)) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
      void ended.then(() => reject(new Error(`the process ended before it said ${pattern}:\n${text.stderr}`)));
    });
  return { process: child, said, ended };
}

export const runTrainer = (args: readonly string[], options: TrainerOptions): Promise<Ended> => startTrainer(args, options).ended;

/** A folder for one test file. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'trainer-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
