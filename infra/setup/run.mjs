// Running the tools of a set-up: their output shown or kept, their environment free of telemetry, Ctrl-C told from failure.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = new URL('../../', import.meta.url);

/** An end of set-up that is told in one line. */
export class SetupError extends Error {
  constructor(message, exitCode = 3) {
    super(message);
    this.exitCode = exitCode;
  }
}

const NO_TELEMETRY = { TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', DO_NOT_TRACK: '1' };

export const say = (line) => process.stderr.write(`${line}\n`);
export const secondsSince = (start) => `${((performance.now() - start) / 1000).toFixed(1)} s`;

let stoppedBy;
let running;
const stop = (signal) => {
  stoppedBy ??= signal;
  running?.kill(signal);
};

/**
 * Runs a set-up, which Ctrl-C and SIGTERM end with a line instead of in silence, also between its programs.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function interruptible(work) {
  process.on('SIGINT', stop).on('SIGTERM', stop);
  try {
    const result = await work();
    throwIfStopped();
    return result;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

function throwIfStopped() {
  if (stoppedBy) throw new SetupError('set-up interrupted: repeat the command to go on', stoppedBy === 'SIGINT' ? 130 : 143);
}

/**
 * Runs a program in the repository.
 * @param {string[]} command program and arguments
 * @param {{ show?: boolean, env?: NodeJS.ProcessEnv }} options `show`: its output goes to this terminal instead of the result
 * @returns {Promise<{ code: number, output: string }>}
 * @throws {SetupError} where Ctrl-C or SIGTERM ended it
 */
export async function run([program, ...args], { show = false, env = {} } = {}) {
  throwIfStopped();
  const stdio = ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'];
  const child = spawn(program, args, { cwd: fileURLToPath(REPOSITORY), env: { ...process.env, ...NO_TELEMETRY, ...env }, stdio });
  running = child;
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  const [code, signal] = await new Promise((resolve, reject) =>
    child.on('error', reject).on('close', (...ended) => resolve(ended)),
  );
  running = undefined;
  throwIfStopped();
  return { code: code ?? 128, output: signal ? `${output}\nended by ${signal}` : output };
}

/** npm as it runs this script, else the one on the path. */
export const npm = (...args) => {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('npm-cli.js') ? [process.execPath, cli, ...args] : ['npm', ...args];
};
