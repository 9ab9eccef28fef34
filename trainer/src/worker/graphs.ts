// The tfjs functions that training steps are made of: loss and gradients of a batch, and the update. N batch, H W pixels.
import * as tf from '@tensorflow/tfjs-core';
import type { HostTensor } from '../jit/contract.js';
import type { Model, ParameterRecord, TrainingPass } from '../nn/contract.js';
import { crossEntropy } from '../nn/loss.js';
import { type SgdOptions, sgdUpdate } from '../optim/sgd.js';

/** A model with its values and how they are trained. */
export interface Trained {
  readonly model: Model;
  /** Parameters and statistics by name. */
  readonly values: ParameterRecord<tf.Variable>;
  /** Velocity of each trained parameter by its name: which are trained, and in which order. */
  readonly velocities: ParameterRecord<tf.Variable>;
  readonly sgd: SgdOptions;
  readonly labelSmoothing: number;
}

/** Bytes [N, H, W, 3] become x * scale + shift, channel by channel. Inputs, so that one trace serves any data. */
export type PixelInputs = { scale: tf.Tensor1D; shift: tf.Tensor1D };
/** images [N, H, W, 3] uint8, labels [N] int32. */
export type BatchInputs = PixelInputs & { images: tf.Tensor4D; labels: tf.Tensor1D };

/** A batch in memory that the caller owns: images [N, H, W, 3] uint8, labels [N] int32. */
export interface Batch {
  readonly images: HostTensor;
  readonly labels: HostTensor;
}

export interface BatchGradients {
  /** The batch's mean, before the factor. */
  readonly loss: tf.Scalar;
  /** How many of the batch were right. */
  readonly correct: tf.Scalar;
  /** By the trained parameter's name. */
  readonly gradients: Readonly<Record<string, tf.Tensor>>;
}

export const normalize = (images: tf.Tensor4D, { scale, shift }: PixelInputs): tf.Tensor4D =>
  tf.add(tf.mul(tf.cast(images, 'float32'), scale), shift);

export interface GradientOptions {
  readonly training: true | TrainingPass;
  /** The gradients are those of the loss times this. */
  readonly factor?: tf.Scalar;
}

/** One forward and one backward pass in training. */
export function gradientsOf(
  { model, values, velocities, labelSmoothing }: Trained,
  { images, labels, ...pixels }: BatchInputs,
  { training, factor }: GradientOptions,
): BatchGradients {
  const parameters = Object.keys(velocities).map((name) => values[name]!);
  const kept: { loss?: tf.Scalar; correct?: tf.Scalar } = {};
  const { value, grads } = tf.variableGrads(() => {
    const logits = model.apply(values, normalize(images, pixels), training);
    const { loss, correct } = crossEntropy(logits, labels, labelSmoothing);
    kept.correct = tf.keep(correct);
    if (!factor) return loss;
    kept.loss = tf.keep(loss);
    return tf.mul(loss, factor);
  }, parameters);
  const named = Object.keys(velocities).map((name) => [name, grads[values[name]!.name]!] as const);
  return { loss: released(kept.loss) ?? value, correct: released(kept.correct)!, gradients: Object.fromEntries(named) };
}

/** What was kept beyond a scope, as a tensor of the scope outside. */
function released<T extends tf.Tensor>(kept: T | undefined): T | undefined {
  const copy = kept && tf.clone(kept);
  kept?.dispose();
  return copy;
}

/** One step of SGD. Returns norms [layers, 3] of the trained matrices: of the gradient, of the weights before the step, of the step. */
export function descend(
  { values, velocities, sgd }: Trained,
  gradients: BatchGradients['gradients'],
  lr: tf.Scalar,
): tf.Tensor2D {
  const squares: tf.Tensor[] = [];
  for (const [name, velocity] of Object.entries(velocities)) {
    const [parameter, gradient] = [values[name]!, gradients[name]!];
    const next = sgdUpdate({ parameter, velocity, gradient, lr }, sgd);
    if (parameter.rank > 1) squares.push(sumOfSquares(gradient), sumOfSquares(parameter), sumOfSquares(next.velocity));
    velocity.assign(next.velocity);
    parameter.assign(next.parameter);
  }
  const factors = tf.stack([tf.scalar(1), tf.scalar(1), lr]);
  return tf.mul(tf.sqrt(tf.reshape(tf.stack(squares), [-1, 3])), factors) as tf.Tensor2D;
}

/** As a product of the vector with itself, which needs no memory for the squares. */
function sumOfSquares(x: tf.Tensor): tf.Scalar {
  const row = tf.reshape(x, [1, -1]) as tf.Tensor2D;
  return tf.reshape(tf.matMul(row, row, false, true), []) as tf.Scalar;
}
