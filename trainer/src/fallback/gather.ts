// Rows by index. tfjs' own kernel mistakes the place of every batch but the first.

import type * as tf from '@tensorflow/tfjs-core';
import { backend_util } from '@tensorflow/tfjs-core';
import { type BackendWasm, words } from './heap.js';

/**
 * Kernel `GatherV2`: x [B..., O..., D, S...] float32 or int32, indices [B..., I...] int32 to [B..., O..., I..., S...]; D is
 * `axis`, B are the first `batchDims`.
 * @throws Error for an index outside 0..D-1.
 */
export function gather(
  backend: BackendWasm,
  { x, indices }: { x: tf.TensorInfo; indices: tf.TensorInfo },
  { axis, batchDims }: { axis: number; batchDims: number },
): tf.TensorInfo {
  if (x.dtype === 'bool') throw new Error('GatherV2: the wasm engine gathers float32 and int32 only: cast the bool');
  const at = axis < 0 ? axis + x.shape.length : axis;
  // Only the shapes are looked at.
  const shapes = [x, indices] as unknown as [tf.Tensor, tf.Tensor];
  const s = backend_util.segment_util.collectGatherOpShapeInfo(...shapes, at, batchDims);
  const out = backend.makeOutput(s.outputShape, x.dtype);
  const [from, to, index] = [words(backend, x), words(backend, out), words(backend, indices)];
  const perBatch = index.length / s.batchSize;
  for (let batch = 0, target = 0; batch < s.batchSize; batch++) {
    for (let outer = 0; outer < s.outerSize; outer++) {
      const base = (batch * s.outerSize + outer) * s.dimSize;
      for (let i = 0; i < perBatch; i++, target += s.sliceSize) {
        const chosen = index[batch * perBatch + i]!;
        if (chosen < 0 || chosen >= s.dimSize) throw new Error(`GatherV2: index ${chosen} is not in 0..${s.dimSize - 1}`);
        const source = (base + chosen) * s.sliceSize;
        to.set(from.subarray(source, source + s.sliceSize), target);
      }
    }
  }
  return out;
}
