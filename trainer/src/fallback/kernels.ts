// Registers what tfjs' wasm backend lacks for training: gradients of convolutions and of gather, and the layers' fused kernels.
import * as tf from '@tensorflow/tfjs-core';
import { HOST_EXCHANGE } from '../jit/host-exchange.js';
import {
  frozenBatchNorm,
  frozenBatchNormGradient,
  reluGradient,
  trainingBatchNorm,
  trainingBatchNormGradient,
} from './batch-norm.js';
import { cast } from './cast.js';
import { convFilterGradient } from './conv-filter-gradient.js';
import { convInputGradient } from './conv-input-gradient.js';
import { depthwiseFilterGradient, depthwiseInputGradient } from './depthwise-gradients.js';
import { gather } from './gather.js';
import type { BackendWasm } from './heap.js';
import { exchangeWithHost } from './host-exchange.js';
import { identity } from './identity.js';
import { oneHot } from './one-hot.js';
import { guardPadding } from './padding-guard.js';
import { averagePoolGradient, maxPoolGradient } from './pooling-gradients.js';
import { segmentSum } from './segment-sum.js';

// Each kernel states its own inputs and attributes; tfjs passes them as untyped maps.
// biome-ignore lint/suspicious/noExplicitAny: the border to tfjs' registry, where types end.
type Kernel = (backend: BackendWasm, inputs: any, attributes: any) => tf.TensorInfo | tf.TensorInfo[];

/**
 * By tfjs' names, and for the fused kernels those that `nn` calls them by. `Conv2DBackpropInput` and `Identity` replace slow
 * ones of tfjs' own, `Cast`, `GatherV2`, `OneHot` and those of pooling wrong
 * ones.
 */
const KERNELS: Readonly<Record<string, Kernel>> = {
  Conv2DBackpropFilter: convFilterGradient,
  Conv2DBackpropInput: convInputGradient,
  DepthwiseConv2dNativeBackpropFilter: depthwiseFilterGradient,
  DepthwiseConv2dNativeBackpropInput: depthwiseInputGradient,
  UnsortedSegmentSum: segmentSum,
  AvgPoolGrad: averagePoolGradient,
  MaxPoolGrad: maxPoolGradient,
  Cast: cast,
  GatherV2: gather,
  Identity: identity,
  OneHot: oneHot,
  [HOST_EXCHANGE]: exchangeWithHost,
  TrainingBatchNorm: trainingBatchNorm,
  TrainingBatchNormGrad: trainingBatchNormGradient,
  FrozenBatchNorm: frozenBatchNorm,
  FrozenBatchNormGrad: frozenBatchNormGradient,
  ReluGradFromOutput: reluGradient,
};

/** Registers the kernels with tfjs' 'wasm' backend and guards its own; a second call changes nothing. */
export function registerWasmKernels(): void {
  if (tf.getKernel('TrainingBatchNorm', 'wasm')) return;
  guardPadding();
  for (const [kernelName, kernel] of Object.entries(KERNELS)) {
    if (tf.getKernel(kernelName, 'wasm')) tf.unregisterKernel(kernelName, 'wasm');
    tf.registerKernel({
      kernelName,
      backendName: 'wasm',
      kernelFunc: ({ inputs, attrs, backend }) => kernel(backend as BackendWasm, inputs, attrs ?? {}),
    });
  }
}
