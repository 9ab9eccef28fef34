// Opens sessions of the compiled engine for tests.
import { readdirSync } from 'node:fs';
import { tracingBackend } from '../../trainer/src/jit/backend.js';
import type { SessionOptions } from '../../trainer/src/jit/contract.js';
import { registerFusedKernels } from '../../trainer/src/jit/kernels.js';
import { TensorFlowSession } from '../../trainer/src/jit/session.js';
import { type CApi, loadLibrary } from '../../trainer/src/runtime/capi.js';
import { findLibrary } from '../../trainer/src/runtime/library.js';

export async function openLibrary(): Promise<CApi> {
  const library = await findLibrary();
  if (!library) throw new Error('the native library is not installed: run `trainer setup`');
  tracingBackend();
  registerFusedKernels();
  return loadLibrary(library.folder);
}

export const openCompiled = async (options: SessionOptions = {}, warn?: (line: string) => void): Promise<TensorFlowSession> =>
  new TensorFlowSession(await openLibrary(), options, warn);

/** Threads of this process just now. */
export const threadsOf = (): number => readdirSync('/proc/self/task').length;
