// An op for the middle of a step: the host gets a tensor's values, and the step goes on with what the host left in their place.
import * as tf from '@tensorflow/tfjs-core';

/** The kernel's name: input x float32, output of its shape. Each engine registers its own form. */
export const HOST_EXCHANGE = 'HostExchange';

/**
 * x as `JitOptions.onExchange` leaves it: same shape, float32. Calls are numbered from 0 in the order in which the function makes
 * them, the same on every engine and rank. It has no gradient: use it within `tf.customGrad`, or for what is not differentiated.
 */
export function hostExchange<T extends tf.Tensor>(x: T): T {
  return tf.engine().runKernel(HOST_EXCHANGE, { x }) as tf.Tensor as T;
}
