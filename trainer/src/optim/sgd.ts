// Stochastic gradient descent with momentum and weight decay, as a pure init/update pair in PyTorch's form.
import * as tf from '@tensorflow/tfjs-core';

export interface SgdOptions {
  /** Share of the velocity kept from step to step, in [0, 1). */
  readonly momentum: number;
  /** L2 decay added to the gradient. */
  readonly weightDecay: number;
  /** False leaves vectors (norm scales and offsets, biases) undecayed. */
  readonly decayNorm: boolean;
}

export interface Update {
  readonly parameter: tf.Tensor;
  readonly velocity: tf.Tensor;
}

/** The velocity that training starts with: zeros of the parameter's shape. */
export const initialVelocity = (parameter: { readonly data: Float32Array }): Float32Array =>
  new Float32Array(parameter.data.length);

/**
 * One step: v = momentum * v + (g + decay * p); p = p - lr * v (Sutskever et al. 2013, in the form of torch.optim.SGD).
 * `lr` is a scalar tensor, so that a schedule needs no new trace.
 */
export function sgdUpdate(
  state: { parameter: tf.Tensor; velocity: tf.Tensor; gradient: tf.Tensor; lr: tf.Scalar },
  options: SgdOptions,
): Update {
  const { parameter, gradient, lr } = state;
  const decay = options.decayNorm || parameter.rank > 1 ? options.weightDecay : 0;
  const terms = [gradient];
  if (options.momentum !== 0) terms.push(tf.mul(state.velocity, options.momentum));
  if (decay !== 0) terms.push(tf.mul(parameter, decay));
  // One sum, so one pass over memory, instead of one per term.
  const velocity = tf.addN(terms);
  return { velocity, parameter: tf.sub(parameter, tf.mul(velocity, lr)) };
}
