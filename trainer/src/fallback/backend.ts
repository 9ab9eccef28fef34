// Brings tfjs' WebAssembly backend up in Node, with the kernels that training needs.
import * as tf from '@tensorflow/tfjs-core';
// Registers the gradients of tfjs' ops, which tfjs-core alone cannot in Node, before the backend and its kernels.
import '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import type { BackendWasm } from './heap.js';
import { registerWasmKernels } from './kernels.js';

const EVENTS = ['uncaughtException', 'unhandledRejection'] as const;

let opening: Promise<BackendWasm> | undefined;

/** The backend of this thread, made when first asked for. Which backend is active stays as it was. */
export function openWasmBackend(): Promise<BackendWasm> {
  // One at a time: which backend is active is the thread's, and changes on the way.
  opening ??= open().finally(() => {
    opening = undefined;
  });
  return opening;
}

async function open(): Promise<BackendWasm> {
  registerWasmKernels();
  const previous = tf.engine().backendName;
  await withoutNewListeners(() => tf.setBackend('wasm'));
  const backend = tf.backend() as BackendWasm;
  if (previous && previous !== 'wasm') tf.setBackend(previous);
  return backend;
}

/** The backend's loader makes every error of the process its own: it rethrows them from the middle of its file. Not here. */
async function withoutNewListeners<T>(work: () => Promise<T>): Promise<T> {
  const before = EVENTS.map((event) => process.listeners(event as 'uncaughtException'));
  try {
    return await work();
  } finally {
    EVENTS.forEach((event, i) => {
      for (const listener of process.listeners(event as 'uncaughtException'))
        if (!before[i]!.includes(listener)) process.off(event, listener);
    });
  }
}
