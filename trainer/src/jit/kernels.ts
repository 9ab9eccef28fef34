// The layers' fused kernels on TensorFlow's own: registered under the names that `nn` calls them by.
import * as tf from '@tensorflow/tfjs-core';
import { DTYPE } from '../runtime/capi.js';
import { type Attribute, attribute } from './attributes.js';
import type { TracingBackend } from './backend.js';
import { HOST_EXCHANGE } from './host-exchange.js';

type Inputs = Record<string, tf.TensorInfo>;
type Kernel = (backend: TracingBackend, inputs: Inputs, attributes: Record<string, unknown>) => tf.TensorInfo | tf.TensorInfo[];

const T = attribute('T', 'type', DTYPE.float32);
const batchNormAttributes = (epsilon: unknown, isTraining: boolean): Attribute[] => [
  T,
  attribute('U', 'type', DTYPE.float32),
  attribute('epsilon', 'float', epsilon),
  attribute('data_format', 'string', 'NHWC'),
  attribute('is_training', 'bool', isTraining),
];

const KERNELS: Readonly<Record<string, Kernel>> = {
  TrainingBatchNorm(backend, { x, scale, offset }, { epsilon }) {
    const none = tf.tensor1d([]);
    const attributes = [...batchNormAttributes(epsilon, true), attribute('exponential_avg_factor', 'float', 1)];
    return backend.executeMultipleOutputs('FusedBatchNormV3', attributes, [x!, scale!, offset!, none, none], 6);
  },
  TrainingBatchNormGrad(backend, { dy, x, scale, saved1, saved2, saved3 }, { epsilon }) {
    const inputs = [dy!, x!, scale!, saved1!, saved2!, saved3!];
    return backend.executeMultipleOutputs('FusedBatchNormGradV3', batchNormAttributes(epsilon, true), inputs, 5).slice(0, 3);
  },
  FrozenBatchNorm(backend, { x, scale, offset, mean, variance }, { epsilon }) {
    const inputs = [x!, scale!, offset!, mean!, variance!];
    return backend.executeMultipleOutputs('FusedBatchNormV3', batchNormAttributes(epsilon, false), inputs, 6)[0]!;
  },
  FrozenBatchNormGrad(backend, { dy, x, scale, mean, variance }, { epsilon }) {
    const inputs = [dy!, x!, scale!, mean!, variance!, tf.tensor1d([])];
    return backend.executeMultipleOutputs('FusedBatchNormGradV3', batchNormAttributes(epsilon, false), inputs, 5).slice(0, 3);
  },
  // No op of TensorFlow's: the trace puts a pause of the run in its place.
  [HOST_EXCHANGE]: (backend, { x }) => backend.executeSingleOutput(HOST_EXCHANGE, [], [x!]),
  ReluGradFromOutput: (backend, { dy, y }) => backend.executeSingleOutput('ReluGrad', [T], [dy!, y!]),
};

/** Registers the fused kernels with tfjs' 'tensorflow' backend; repeated calls change nothing. */
export function registerFusedKernels(): void {
  for (const [kernelName, kernel] of Object.entries(KERNELS)) {
    if (tf.getKernel(kernelName, 'tensorflow')) continue;
    tf.registerKernel({
      kernelName,
      backendName: 'tensorflow',
      kernelFunc: ({ inputs, attrs, backend }) =>
        kernel(backend as TracingBackend, inputs as Inputs, (attrs ?? {}) as Record<string, unknown>),
    });
  }
}
