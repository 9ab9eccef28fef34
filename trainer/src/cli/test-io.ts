// For tests: streams that keep what is written to them.
import type { Io, Output } from './io.js';

export interface TestIo extends Io {
  readonly out: string[];
  readonly err: string[];
}

export function testIo(options: { env?: NodeJS.ProcessEnv; cwd?: string; stderr?: Partial<Output> } = {}): TestIo {
  const [out, err]: [string[], string[]] = [[], []];
  return {
    out,
    err,
    stdout: { write: (text) => out.push(text) },
    // The object itself, so that a test may change its width.
    stderr: Object.assign(options.stderr ?? {}, { write: (text: string) => err.push(text) }),
    env: options.env ?? {},
    cwd: options.cwd ?? '/nowhere',
  };
}
