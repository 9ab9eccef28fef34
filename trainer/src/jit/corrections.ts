// Kernels of the package that a trace cannot use as they are.
import * as tf from '@tensorflow/tfjs-core';
import { DTYPE } from '../runtime/capi.js';
import { attribute } from './attributes.js';
import type { ReplacedKernel } from './replace.js';

/** Of gather; the others' are passed on unseen. */
interface Attributes {
  readonly axis: number;
  readonly batchDims: number;
}

const TYPES: Readonly<Record<string, number>> = { float32: DTYPE.float32, int32: DTYPE.int32, bool: DTYPE.bool };
const typeOf = ({ dtype }: tf.TensorInfo): number => TYPES[dtype]!;

/** The package's reads the indices to check them, and they have no value yet. TensorFlow checks them itself, on CPUs. */
const gather: ReplacedKernel<Attributes> = ({ inputs, attrs, backend }) => {
  const { x, indices } = inputs as { x: tf.TensorInfo; indices: tf.TensorInfo };
  const [axis] = tf.util.parseAxisParam(attrs.axis, x.shape);
  const attributes = [
    attribute('batch_dims', 'int', attrs.batchDims),
    attribute('Tparams', 'type', typeOf(x)),
    attribute('Tindices', 'type', typeOf(indices)),
    attribute('Taxis', 'type', DTYPE.int32),
  ];
  return backend.executeSingleOutput('GatherV2', attributes, [x, indices, tf.scalar(axis!, 'int32')]);
};

/** The package's casts whole numbers to float32 and yet declares their own type. */
const mean: ReplacedKernel<Attributes> = ({ inputs, attrs, original }) =>
  original({ x: tf.cast(inputs['x'] as tf.Tensor, 'float32') }, attrs);

/** tfjs says the quotient is int32, whatever was divided. */
const floorDivide: ReplacedKernel<Attributes> = ({ inputs, attrs, original }) =>
  tf.cast(tf.engine().makeTensorFromTensorInfo(original(inputs, attrs) as tf.TensorInfo), 'int32');

export const CORRECTED_KERNELS: Readonly<Record<string, ReplacedKernel<Attributes>>> = {
  GatherV2: gather,
  Mean: mean,
  FloorDiv: floorDivide,
};
