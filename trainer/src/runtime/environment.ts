// Environment variables that the native library reads. A worker thread's `process.env` is a copy that C never sees.
import koffi from 'koffi';

const LIBC = process.platform === 'darwin' ? 'libSystem.B.dylib' : 'libc.so.6';
const KEEP = 0;

/** Sets variables of the process that are not set yet. */
export function setEnvironmentDefaults(variables: Readonly<Record<string, string>>): void {
  const setenv = koffi.load(LIBC).func('int setenv(const char*, const char*, int)') as (
    n: string,
    v: string,
    o: number,
  ) => number;
  for (const [name, value] of Object.entries(variables)) setenv(name, value, KEEP);
}
