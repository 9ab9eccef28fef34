// TensorFlow.js' WebAssembly heap as kernels see it: tensors as typed arrays, and views that share another tensor's memory.

import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';

export type { BackendWasm };

/** Allocates an uninitialized tensor of float32. */
export const makeOutput = (backend: BackendWasm, shape: readonly number[]): tf.TensorInfo =>
  backend.makeOutput([...shape], 'float32');

/**
 * The values of a float32 tensor, without a copy. Any later allocation may grow the heap and so detach the array: allocate
 * first, then look.
 */
export const floats = (backend: BackendWasm, tensor: tf.TensorInfo): Float32Array =>
  backend.typedArrayFromHeap(tensor) as Float32Array;

/** The bits of a tensor with elements of 32 bits, without a copy; allocate first, as for `floats`. */
export const words = (backend: BackendWasm, tensor: tf.TensorInfo): Int32Array =>
  backend.typedArrayFromHeap({ ...tensor, dtype: 'int32' }) as Int32Array;

/** A float32 tensor of zeros. */
export function makeZeros(backend: BackendWasm, shape: readonly number[]): tf.TensorInfo {
  const out = makeOutput(backend, shape);
  floats(backend, out).fill(0);
  return out;
}

export const release = (backend: BackendWasm, tensor: tf.TensorInfo): void => void backend.disposeData(tensor.dataId);

/**
 * Calls `use` with a tensor that is `shape` floats of `owner`'s memory from `start` on. It lives no longer than the call, and
 * frees nothing: an address of 0 is one that `free` ignores.
 */
export function withView<T>(
  backend: BackendWasm,
  owner: tf.TensorInfo,
  start: number,
  shape: readonly number[],
  use: (view: tf.TensorInfo) => T,
): T {
  const address = backend.dataIdMap.get(owner.dataId).memoryOffset + start * Float32Array.BYTES_PER_ELEMENT;
  const view = backend.makeOutput([...shape], 'float32', address);
  try {
    return use(view);
  } finally {
    backend.dataIdMap.get(view.dataId).memoryOffset = 0;
    release(backend, view);
  }
}

/** Runs one of the backend's own kernels on raw tensors; the caller releases the result. */
export function runKernel(
  backend: BackendWasm,
  name: string,
  inputs: Record<string, tf.TensorInfo>,
  attrs: Record<string, unknown>,
): tf.TensorInfo {
  const kernel = tf.getKernel(name, 'wasm');
  return kernel.kernelFunc({ inputs, backend, attrs: attrs as tf.NamedAttrMap }) as tf.TensorInfo;
}
