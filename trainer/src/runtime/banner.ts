// The library greets on stderr from its static initializers, before any log level can be set.
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';

const LIBC = process.platform === 'darwin' ? 'libSystem.B.dylib' : 'libc.so.6';
const STDERR = 2;

/** Calls `load` with stderr's descriptor pointing nowhere. What fails is told by the exception, not by stderr. */
export function withoutBanner<T>(load: () => T): T {
  const libc = koffi.load(LIBC);
  const dup = libc.func('int dup(int)') as (fd: number) => number;
  const dup2 = libc.func('int dup2(int, int)') as (from: number, to: number) => number;
  // Node warns of descriptors that it closes in a worker thread and did not open there.
  const close = libc.func('int close(int)') as (fd: number) => number;
  const nowhere = openSync('/dev/null', 'w');
  const kept = dup(STDERR);
  dup2(nowhere, STDERR);
  try {
    return load();
  } finally {
    dup2(kept, STDERR);
    close(kept);
    closeSync(nowhere);
  }
}
