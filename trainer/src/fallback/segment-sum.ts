// Sums of rows by segment: the gradient of `tf.gather`.
import type * as tf from '@tensorflow/tfjs-core';
import { type BackendWasm, floats, makeZeros } from './heap.js';

/** Kernel `UnsortedSegmentSum`: x [N, ...] float32, segmentIds [N] int32 to [numSegments, ...]; ids outside are left out. */
export function segmentSum(
  backend: BackendWasm,
  { x, segmentIds }: { x: tf.TensorInfo; segmentIds: tf.TensorInfo },
  { numSegments }: { numSegments: number },
): tf.TensorInfo {
  const out = makeZeros(backend, [numSegments, ...x.shape.slice(1)]);
  const [from, to] = [floats(backend, x), floats(backend, out)];
  const ids = backend.typedArrayFromHeap(segmentIds);
  const row = ids.length === 0 ? 0 : from.length / ids.length;
  ids.forEach((segment, n) => {
    if (segment < 0 || segment >= numSegments) return;
    for (let i = 0; i < row; i++) to[segment * row + i] = to[segment * row + i]! + from[n * row + i]!;
  });
  return out;
}
