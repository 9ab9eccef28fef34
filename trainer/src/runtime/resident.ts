// koffi closes what it opened when the JavaScript thread ends; TensorFlow's own threads are still running then, and would
// find their code gone: the process would end by SIGSEGV.
import koffi from 'koffi';

const MAC = process.platform === 'darwin';
// In glibc before 2.34 `dlopen` is in a library of its own, which is still there, empty, in later ones.
const HOME = MAC ? 'libSystem.B.dylib' : 'libdl.so.2';
const RTLD_LAZY = 1;
const RTLD_NODELETE = MAC ? 0x80 : 0x1000;

/** Keeps a loaded library in memory until the process ends. */
export function keepLoaded(path: string): void {
  const dlopen = koffi.load(HOME).func('void* dlopen(const char*, int)') as (path: string, flags: number) => bigint | null;
  if (!dlopen(path, RTLD_LAZY | RTLD_NODELETE)) throw new Error(`${path} cannot be kept in memory`);
}
