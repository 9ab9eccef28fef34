// Keeps windows away from tfjs' wasm kernels that would make them write past their result's end.
import * as tf from '@tensorflow/tfjs-core';

const KERNELS = ['Conv2D', 'FusedConv2D', 'DepthwiseConv2dNative', 'FusedDepthwiseConv2D', 'MaxPool', 'AvgPool'];

interface Attributes {
  readonly pad?: unknown;
  readonly strides?: [number, number] | number;
  readonly filterSize?: [number, number] | number;
}

/**
 * Wraps the kernels with a check. Where padding is one number, tfjs takes both sides of the result from the height's filter and
 * stride: with another width the result has a wrong size, and XNNPACK, which computes the right one, overruns it.
 */
export function guardPadding(): void {
  for (const kernelName of KERNELS) {
    const kernel = tf.getKernel(kernelName, 'wasm');
    tf.unregisterKernel(kernelName, 'wasm');
    tf.registerKernel({
      ...kernel,
      kernelFunc: (params) => {
        check(kernelName, params.inputs['filter']?.shape, (params.attrs ?? {}) as Attributes);
        return kernel.kernelFunc(params);
      },
    });
  }
}

function check(
  kernelName: string,
  filter: readonly number[] | undefined,
  { pad, strides = 1, filterSize = 1 }: Attributes,
): void {
  if (typeof pad !== 'number') return;
  const window = filter ?? pair(filterSize);
  const stride = pair(strides);
  if (window[0] !== window[1] || stride[0] !== stride[1])
    throw new Error(
      `${kernelName}: padding given as one number needs a square filter and equal strides on the wasm engine, not ${window[0]} x ${window[1]} with strides ${stride[0]} and ${stride[1]}: pad the input, or give the padding of each side`,
    );
}

const pair = (value: [number, number] | number): readonly number[] => (typeof value === 'number' ? [value, value] : value);
