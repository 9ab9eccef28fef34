// Where a command speaks: data on stdout; progress, notices and warnings on stderr.

/** What the commands use of a writable stream. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  /** Width of the terminal now; it changes when the window does. */
  readonly columns?: number | undefined;
}

export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

/** This process' streams. A reader that goes away (`trainer start | head`) is no error: what is written to it is lost, quietly. */
export function processIo(env: NodeJS.ProcessEnv): Io {
  for (const stream of [process.stdout, process.stderr]) {
    stream.off('error', ignoreClosedPipe);
    stream.on('error', ignoreClosedPipe);
  }
  return { stdout: process.stdout, stderr: process.stderr, env, cwd: process.cwd() };
}

function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}
