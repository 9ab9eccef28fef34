// The oracle: TensorFlow.js' pure-JavaScript backend, slow and independent of every engine of ours.
import * as tf from '@tensorflow/tfjs-core';
// The only package that registers the gradients of tfjs' ops in a form that Node loads; it brings the 'cpu' backend too.
import '@tensorflow/tfjs';
import type { HostDType, HostTensor, HostTensors, StepFunction, Tensors } from '../contract.js';

/** A host tensor as a tfjs tensor of the active backend. Bytes become int32, as in an engine. */
const toTensor = ({ data, shape, dtype }: HostTensor): tf.Tensor =>
  dtype === 'uint8' ? tf.tensor(Int32Array.from(data), [...shape], 'int32') : tf.tensor(data, [...shape], dtype);

const toHost = (tensor: tf.Tensor): HostTensor => ({
  dtype: tensor.dtype as HostDType,
  shape: tensor.shape,
  data: tensor.dataSync() as HostTensor['data'],
});

/** Runs `work` on the oracle; tensors that it makes and does not keep are freed. */
export function onOracle<T extends tf.TensorContainer>(work: () => T): T {
  const previous = tf.getBackend();
  tf.setBackend('cpu');
  try {
    return tf.tidy(work);
  } finally {
    tf.setBackend(previous);
  }
}

/** What `fn` returns for these inputs. */
export function expected<I extends Tensors, O extends Tensors>(
  fn: StepFunction<I, O>,
  inputs: HostTensors,
): Record<keyof O, HostTensor> {
  const results: Record<string, HostTensor> = {};
  onOracle(() => {
    const given = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, toTensor(value)]));
    for (const [name, tensor] of Object.entries(fn(given as unknown as I))) results[name] = toHost(tensor);
  });
  return results as Record<keyof O, HostTensor>;
}
