// Starts the coordinator as a child process that cannot outlive this one.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ToSupervisorSchema } from '@trainer/protocol';
import { socketChannel } from '../link/socket.js';
import type { Coordinator } from './contract.js';

const MAIN = fileURLToPath(new URL('../coordinator/main.js', import.meta.url));

/** Lines of a crash that are worth telling. */
const LAST_WORDS = 20;

/** Threads of libuv's pool besides those in which ranks' steps wait for TensorFlow: for files. */
const FILE_THREADS = 4;

/** @param ranks the most that there may be: each needs a thread for its steps */
export function launchCoordinator(environment: NodeJS.ProcessEnv, ranks: number): Coordinator {
  const threads = Math.max(ranks + FILE_THREADS, Number(environment['UV_THREADPOOL_SIZE'] ?? 0));
  const env = { ...environment, UV_THREADPOOL_SIZE: String(threads) };
  const child = spawn(process.execPath, [...process.execArgv, MAIN], { env, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
  const kill = (): void => void child.kill('SIGKILL');
  // However this process ends, short of being killed itself, which the coordinator notices by its channel.
  process.once('exit', kill);
  const words: string[] = [];
  for (const stream of [child.stdout!, child.stderr!]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (line.trim() !== '') words.push(line);
      words.splice(0, words.length - LAST_WORDS);
    });
  }
  const exited = new Promise<string>((resolve) => {
    child.once('error', ({ message }) => resolve(`could not be started: ${message}`));
    child.once('close', (code, signal) => {
      process.off('exit', kill);
      resolve(signal ? `was killed by ${signal}` : `ended with code ${code}`);
    });
  });
  return {
    channel: socketChannel({ stream: child.stdio[3] as Duplex, parse: (value) => ToSupervisorSchema.parse(value) }),
    exited,
    lastWords: () => words,
    kill,
  };
}
