// What the convolution gradients share: sizes of one convolution, checked for what the kernels can do.
import { backend_util } from '@tensorflow/tfjs-core';

export type ConvSizes = backend_util.Conv2DInfo;

/** Attributes of tfjs' convolution gradients. */
export interface ConvAttributes {
  readonly strides: [number, number] | number;
  readonly pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  readonly dilations?: [number, number] | number;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  readonly dataFormat?: 'NHWC' | 'NCHW';
}

interface Shapes {
  readonly input: readonly number[];
  readonly filter: readonly number[];
  readonly depthwise?: boolean;
}

/**
 * @throws Error for NCHW, for which the wasm backend has no kernel in the forward pass either, and for dilated filters,
 * which TensorFlow.js does not differentiate on any backend.
 */
export function convSizes(kernel: string, { input, filter, depthwise = false }: Shapes, attributes: ConvAttributes): ConvSizes {
  const { strides, pad, dimRoundingMode, dilations = 1, dataFormat = 'NHWC' } = attributes;
  if (dataFormat !== 'NHWC') throw new Error(`${kernel}: the wasm engine takes images in NHWC only, not ${dataFormat}`);
  if ([dilations].flat().some((d) => d !== 1))
    throw new Error(`${kernel}: the wasm engine has no gradient of dilated convolutions (dilations ${dilations})`);
  const [input4D, filter4D] = [[...input], [...filter]] as [[number, number, number, number], [number, number, number, number]];
  return backend_util.computeConv2DInfo(input4D, filter4D, strides, dilations, pad, dimRoundingMode, depthwise);
}
