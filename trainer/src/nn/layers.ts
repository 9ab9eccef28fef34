// Layers as plain functions on an explicit record of values: a name, shapes and no state of their own.
import * as tf from '@tensorflow/tfjs-core';
import type { BatchStatistics, ParameterRecord, TrainingPass } from './contract.js';
import { BATCH_NORM, conv2d, globalAveragePool, trainingBatchNorm } from './ops.js';

/** Values by name, as the forward pass sees them. */
export type Values = ParameterRecord<tf.Tensor | tf.Variable>;

/** What every layer of a forward pass shares. */
export interface Pass {
  readonly values: Values;
  /** Whether norms use the batch's statistics, and who gets them: true moves the running ones. */
  readonly training: boolean | TrainingPass;
}

/** A convolution by its parameter's name and hyperparameters; `side` is the kernel's. */
export interface ConvSpec {
  readonly name: string;
  readonly side: 1 | 3 | 7;
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: 1 | 2;
  /** A bias stands in for the norm's offset in nets without norm. */
  readonly bias: boolean;
}

/** A convolution and the batch norm behind it; no norm's name, no norm. */
export interface ConvNormSpec {
  readonly conv: ConvSpec;
  readonly norm: string | undefined;
}

/** The value of a name that the model must have. */
export const value = <T extends tf.Tensor>({ values }: Pass, name: string): T => ofName(values, name);

function ofName<T extends tf.Tensor>(values: Values, name: string): T {
  const found = values[name];
  if (!found) throw new Error(`the model has no value named ${name}`);
  return found as unknown as T;
}

/** x [N, H, W, I] to [N, H / stride, W / stride, O]. */
export function conv(pass: Pass, spec: ConvSpec, x: tf.Tensor4D): tf.Tensor4D {
  const y = conv2d(x, value(pass, `${spec.name}.weight`), spec.stride);
  return spec.bias ? tf.add(y, value(pass, `${spec.name}.bias`)) : y;
}

/** Batch norm over x [N, H, W, C]; in training the running statistics are moved towards the batch's, or those handed over. */
function norm(pass: Pass, name: string, x: tf.Tensor4D): tf.Tensor4D {
  const [scale, offset] = [value<tf.Tensor1D>(pass, `${name}.weight`), value<tf.Tensor1D>(pass, `${name}.bias`)];
  if (!pass.training) {
    const [mean, variance] = [value<tf.Tensor1D>(pass, `${name}.running_mean`), value<tf.Tensor1D>(pass, `${name}.running_var`)];
    return tf.batchNorm4d(x, mean, variance, offset, scale, BATCH_NORM.epsilon);
  }
  const normalize = (pass.training !== true && pass.training.normalize) || trainingBatchNorm;
  const { y, ...statistics } = normalize(x, scale, offset);
  if (pass.training === true) moveRunning(pass.values, name, statistics);
  else pass.training.onStatistics(name, statistics);
  return y;
}

export function convNorm(pass: Pass, spec: ConvNormSpec, x: tf.Tensor4D): tf.Tensor4D {
  const y = conv(pass, spec.conv, x);
  return spec.norm ? norm(pass, spec.norm, y) : y;
}

/** Mean over all pixels, then a dense layer `fc`: x [N, H, W, C] to logits [N, K]. */
export function head(pass: Pass, x: tf.Tensor4D): tf.Tensor2D {
  const features = globalAveragePool(x);
  return tf.add(tf.matMul(features, value<tf.Tensor2D>(pass, 'fc.weight')), value(pass, 'fc.bias'));
}

/** Moves a norm's running statistics towards a batch's, of which it disposes: running += momentum * (batch - running). */
export function moveRunning(values: Values, norm: string, { mean, variance }: BatchStatistics): void {
  const entries = [
    ['running_mean', mean],
    ['running_var', variance],
  ] as const;
  for (const [statistic, batch] of entries) {
    const running = ofName<tf.Variable>(values, `${norm}.${statistic}`);
    running.assign(tf.add(tf.mul(running, 1 - BATCH_NORM.momentum), tf.mul(batch, BATCH_NORM.momentum)));
    batch.dispose();
  }
}
