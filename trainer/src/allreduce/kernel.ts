// The reduce kernel, trainer/kernel/reduce.ts, as the build compiles it.
import { readFileSync } from 'node:fs';

/** Addresses are bytes in the group's memory, lengths blocks of 32 floats. */
export interface ReduceKernel {
  /** Weighted sum over a table of `ranks` entries, address (uint32) and weight (float32) each. `out` may be one of its inputs. */
  meanF32(table: number, ranks: number, out: number, blocks: number): void;
  meanBf16(table: number, ranks: number, out: number, blocks: number): void;
  packBf16(from: number, to: number, blocks: number): void;
  unpackBf16(from: number, to: number, blocks: number): void;
}

/** Bytes of an entry of the table of ranks. */
export const TABLE_ENTRY_BYTES = 8;

let compiled: WebAssembly.Module | undefined;

/** Can be posted to threads. */
export function compileKernel(): WebAssembly.Module {
  // The same file from the sources, as tests load them, and from what is compiled.
  compiled ??= new WebAssembly.Module(readFileSync(new URL('../../dist/allreduce/reduce.wasm', import.meta.url)));
  return compiled;
}

/** One thread's instance, over memory that all share. */
export const instantiateKernel = (module: WebAssembly.Module, memory: WebAssembly.Memory): ReduceKernel =>
  new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as ReduceKernel;
