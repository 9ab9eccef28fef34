// Kernels that give a tensor's memory a second name instead of copying it.
import type * as tf from '@tensorflow/tfjs-core';
import type { BackendWasm } from './heap.js';

/** Kernel `Identity`: x again, holding the same memory. tfjs' own copies it; autodiff clones tensors by the hundred. */
export function identity(backend: BackendWasm, { x }: { x: tf.TensorInfo }): tf.TensorInfo {
  backend.incRef(x.dataId);
  return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
}
