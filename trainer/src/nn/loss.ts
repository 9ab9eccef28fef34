// Softmax cross-entropy over integer labels, with as few ops as it needs.
import * as tf from '@tensorflow/tfjs-core';

export interface Loss {
  /** Mean cross-entropy over the batch, a scalar. */
  readonly loss: tf.Scalar;
  /** How many of the batch have their label as the largest logit, a scalar. */
  readonly correct: tf.Scalar;
}

/**
 * @param logits [N, K] float32
 * @param labels [N] int32 in [0, K)
 * @param smoothing share of each target spread evenly over all classes (Szegedy et al. 2016, section 7), in [0, 1)
 */
export function crossEntropy(logits: tf.Tensor2D, labels: tf.Tensor1D, smoothing = 0): Loss {
  const [examples, classes] = logits.shape;
  const even = smoothing / classes;
  const targets = tf.oneHot(labels, classes, 1 - smoothing + even, even, 'float32') as tf.Tensor2D;
  const loss = meanCrossEntropy(logits, targets, examples);
  const correct = tf.sum(tf.cast(tf.equal(tf.argMax(logits, 1), labels), 'float32')) as tf.Scalar;
  return { loss, correct };
}

/** The gradient of the mean is (softmax - targets) / N, as the targets of an example sum to 1. */
function meanCrossEntropy(logits: tf.Tensor2D, targets: tf.Tensor2D, examples: number): tf.Scalar {
  const compute = tf.customGrad((...args: unknown[]) => {
    const [z, save] = args as [tf.Tensor2D, (tensors: tf.Tensor[]) => void];
    const logProbabilities = tf.logSoftmax(z);
    save([logProbabilities, targets]);
    const value = tf.mul(tf.sum(tf.mul(targets, logProbabilities)), -1 / examples);
    const gradFunc = (dy: tf.Tensor, [logs, goals]: tf.Tensor[]) =>
      tf.mul(tf.sub(tf.exp(logs!), goals!), tf.mul(dy, 1 / examples));
    return { value, gradFunc };
  });
  return compute(logits) as tf.Scalar;
}
