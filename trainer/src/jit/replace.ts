// Puts kernels of ours in the place of the package's, which they may call.
import * as tf from '@tensorflow/tfjs-core';
import type { TracingBackend } from './backend.js';

export type Inputs = Readonly<Record<string, tf.TensorInfo | undefined>>;

export interface KernelCall<A> {
  readonly inputs: Inputs;
  readonly attrs: A;
  readonly backend: TracingBackend;
  /** The kernel that was replaced. */
  readonly original: (inputs: Inputs, attrs: A) => tf.TensorInfo | tf.TensorInfo[];
}

export type ReplacedKernel<A> = (call: KernelCall<A>) => tf.TensorInfo | tf.TensorInfo[];

/** Replaces kernels of tfjs' 'tensorflow' backend, by name. */
export function replaceKernels<A>(kernels: Readonly<Record<string, ReplacedKernel<A>>>): void {
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    const replaced = tf.getKernel(kernelName, 'tensorflow');
    tf.unregisterKernel(kernelName, 'tensorflow');
    tf.registerKernel({
      kernelName,
      backendName: 'tensorflow',
      kernelFunc: ({ inputs, attrs, backend }) =>
        kernel({
          inputs,
          attrs: attrs as A,
          backend: backend as TracingBackend,
          original: (given, with_) =>
            replaced.kernelFunc({ inputs: given as tf.NamedTensorInfoMap, attrs: with_ as tf.NamedAttrMap, backend }),
        }),
    });
  }
}
