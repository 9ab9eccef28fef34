// Targets of a classifier. tfjs' own wasm kernel writes integers whatever type is asked for.
import type * as tf from '@tensorflow/tfjs-core';
import type { BackendWasm } from './heap.js';

interface OneHotAttributes {
  readonly depth: number;
  readonly onValue: number;
  readonly offValue: number;
  readonly dtype: 'float32' | 'int32' | 'bool';
}

/** Kernel `OneHot`: indices [...] int32 to [..., depth]: `onValue` at each index, `offValue` elsewhere and for indices outside. */
export function oneHot(
  backend: BackendWasm,
  { indices }: { indices: tf.TensorInfo },
  { depth, onValue, offValue, dtype }: OneHotAttributes,
): tf.TensorInfo {
  const out = backend.makeOutput([...indices.shape, depth], dtype);
  const [from, to] = [backend.typedArrayFromHeap(indices), backend.typedArrayFromHeap(out)];
  to.fill(offValue);
  for (const [row, index] of from.entries()) if (index >= 0 && index < depth) to[row * depth + index] = onValue;
  return out;
}
