// A program that is not ours: a tf.layers network and tf.train.adam, compiled and compared with the oracle over 20 steps.
import * as tf from '@tensorflow/tfjs';
import { afterEach, expect, test } from 'vitest';
import { expected, onOracle } from '../../trainer/src/jit/conformance/oracle.js';
import type { HostTensor } from '../../trainer/src/jit/contract.js';
import { randomStream } from '../../trainer/src/random.js';
import { noLibrary } from '../support/library.js';
import { openCompiled } from './compiled.js';

const STEPS = 20;
const [BATCH, SIDE, CLASSES] = [8, 8, 4];

/**
 * Both sides round differently (6e-8 a rounding), and Adam divides by the root of the gradients' second moment: near its epsilon
 * a rounding grows to the size of a step's share. Measured over 20 steps: losses differ by 2e-7 of themselves, weights by 3e-6.
 */
const [LOSS_TOLERANCE, WEIGHT_TOLERANCE] = [1e-5, 1e-4];
const LEARNING_RATE = 0.01;

/**
 * Depthwise and pointwise convolutions, batch norm, a shortcut, two kinds of pooling: a small MobileNet. No biases before batch
 * norms: their gradient is 0 but for rounding, which Adam would blow up to full steps.
 */
function network(seed: number): tf.LayersModel {
  const kernelInitializer = (salt: number) => tf.initializers.heNormal({ seed: seed + salt });
  const input = tf.input({ shape: [SIDE, SIDE, 3] });
  const norm = (x: tf.SymbolicTensor) =>
    tf.layers.activation({ activation: 'relu' }).apply(tf.layers.batchNormalization().apply(x)) as tf.SymbolicTensor;
  const stem = norm(
    tf.layers
      .conv2d({ filters: 8, kernelSize: 3, padding: 'same', useBias: false, kernelInitializer: kernelInitializer(1) })
      .apply(input) as tf.SymbolicTensor,
  );
  const depthwise = norm(
    tf.layers
      .depthwiseConv2d({ kernelSize: 3, padding: 'same', useBias: false, depthwiseInitializer: kernelInitializer(2) })
      .apply(stem) as tf.SymbolicTensor,
  );
  const pointwise = norm(
    tf.layers
      .conv2d({ filters: 8, kernelSize: 1, useBias: false, kernelInitializer: kernelInitializer(3) })
      .apply(depthwise) as tf.SymbolicTensor,
  );
  const sum = tf.layers.add().apply([stem, pointwise]) as tf.SymbolicTensor;
  const pooled = tf.layers.maxPooling2d({ poolSize: 2 }).apply(sum) as tf.SymbolicTensor;
  const separable = tf.layers
    .separableConv2d({
      filters: 12,
      kernelSize: 3,
      strides: 2,
      padding: 'same',
      depthwiseInitializer: kernelInitializer(4),
      pointwiseInitializer: kernelInitializer(5),
    })
    .apply(pooled) as tf.SymbolicTensor;
  const flat = tf.layers
    .globalAveragePooling2d({})
    .apply(tf.layers.leakyReLU({ alpha: 0.1 }).apply(separable)) as tf.SymbolicTensor;
  const logits = tf.layers.dense({ units: CLASSES, kernelInitializer: kernelInitializer(6) }).apply(flat) as tf.SymbolicTensor;
  return tf.model({ inputs: input, outputs: logits });
}

/** One step of a network; the batch norms' running statistics move too. */
function trainer(model: tf.LayersModel, optimizer: tf.Optimizer) {
  return ({ x, labels }: { x: tf.Tensor; labels: tf.Tensor }): { loss: tf.Scalar } => {
    const loss = optimizer.minimize(
      () => {
        const logits = model.apply(x, { training: true }) as tf.Tensor;
        return tf.losses.softmaxCrossEntropy(tf.oneHot(labels as tf.Tensor1D, CLASSES, 1, 0, 'float32'), logits);
      },
      true,
      model.trainableWeights.map((w) => w.read() as tf.Variable),
    );
    return { loss: loss as tf.Scalar };
  };
}

function batches(): { x: HostTensor; labels: HostTensor }[] {
  return Array.from({ length: STEPS }, (_, step) => {
    const random = randomStream(3, 'batch', step % 4);
    const labels = Int32Array.from({ length: BATCH }, () => random.below(CLASSES));
    const pixels = SIDE * SIDE * 3;
    // Each class is brighter than the one before: something to learn.
    const x = Float32Array.from({ length: BATCH * pixels }, (_, i) => random.normal() + labels[Math.floor(i / pixels)]! / 2);
    return {
      x: { dtype: 'float32', shape: [BATCH, SIDE, SIDE, 3], data: x },
      labels: { dtype: 'int32', shape: [BATCH], data: labels },
    };
  });
}

const weightsOf = (model: tf.LayersModel): tf.Variable[] => model.weights.map((w) => w.read() as tf.Variable);

afterEach(() => tf.disposeVariables());

test.skipIf(noLibrary)(
  'a tf.layers network trained by tf.train.adam equals the oracle over 20 steps, loss for loss and weight for weight',
  async () => {
    await tf.setBackend('cpu');
    const session = await openCompiled();
    const data = batches();
    const theirs = network(1);
    const oracleStep = trainer(theirs, tf.train.adam(LEARNING_RATE));
    const first = weightsOf(theirs).map((w) => w.dataSync().slice());
    const wantedLosses = data.map((batch) => expected(oracleStep, batch).loss.data[0]!);
    const wantedWeights = onOracle(() => weightsOf(theirs).map((w) => w.clone())).map((w) => w.dataSync());

    const ours = network(2);
    for (const [i, w] of weightsOf(ours).entries()) w.assign(tf.tensor(first[i]!, w.shape));
    try {
      const step = session.jit(trainer(ours, tf.train.adam(LEARNING_RATE)));
      const losses = data.map((batch) => step.run(batch).loss.data[0]!);
      const weights = session.read(weightsOf(ours));
      for (const [i, loss] of losses.entries()) expect(Math.abs(loss / wantedLosses[i]! - 1)).toBeLessThan(LOSS_TOLERANCE);
      for (const [i, w] of weights.entries()) expect(farthest(w, wantedWeights[i]!)).toBeLessThan(WEIGHT_TOLERANCE);
      expect(sum(losses.slice(-4))).toBeLessThan(sum(losses.slice(0, 4)) * 0.9);
    } finally {
      session.close();
    }
  },
);

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
const farthest = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
