// Conversion of element types. tfjs' own kernel keeps the low byte of what becomes a truth: 256 would be false.
import type * as tf from '@tensorflow/tfjs-core';
import type { BackendWasm } from './heap.js';

/** Kernel `Cast`: to int32 numbers are cut off towards zero, to bool all but 0 are true. */
export function cast(
  backend: BackendWasm,
  { x }: { x: tf.TensorInfo },
  { dtype }: { dtype: 'float32' | 'int32' | 'bool' },
): tf.TensorInfo {
  const out = backend.makeOutput([...x.shape], dtype);
  const [from, to] = [backend.typedArrayFromHeap(x), backend.typedArrayFromHeap(out)];
  if (dtype === 'bool') for (let i = 0; i < from.length; i++) to[i] = from[i] === 0 ? 0 : 1;
  else to.set(from);
  return out;
}
