// Brings tfjs' WebAssembly backend up in Node, with the kernels that training needs.
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-wasm';
import type { BackendWasm } from './heap.js';
import { registerWasmKernels } from './kernels.js';

export async function openWasmBackend(): Promise<BackendWasm> {
  registerWasmKernels();
  const previous = tf.getBackend();
  await tf.setBackend('wasm');
  const backend = tf.backend() as BackendWasm;
  if (previous) tf.setBackend(previous);
  return backend;
}
