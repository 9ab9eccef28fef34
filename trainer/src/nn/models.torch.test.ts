import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { sgdUpdate } from '../optim/sgd.js';
import type { Model } from './contract.js';
import { crossEntropy } from './loss.js';
import { createModel } from './models.js';
import { relativeError as error, useOracle } from './oracle.js';
import { caseOptions, caseTitle, fromTorch, type TorchCase, torchFixture, torchValues, unpack } from './torch-fixture.js';

// PyTorch's values are float64. Ours round by 6e-8 an operation: some 12 roundings' worth per convolution (the root of its 144
// terms), through 18 layers forward and back, give 3e-5. Other arithmetic (padding, variance, epsilon) differs from 1e-3 up.
const TOLERANCE = 1e-4;

const fixture = torchFixture();

interface Setup {
  readonly model: Model;
  readonly values: Record<string, tf.Variable>;
  readonly images: tf.Tensor4D;
  readonly labels: tf.Tensor1D;
}

function setUp(each: TorchCase): Setup {
  const model = createModel(caseOptions(fixture, each));
  const values = Object.entries(torchValues(model.initialize(0), fixture.weights[each.family])).map(([name, value]) => [
    name,
    tf.variable(tf.tensor(value.data, [...value.shape]), value.trainable),
  ]);
  const { shape, data } = unpack(fixture.images);
  return {
    model,
    values: Object.fromEntries(values) as Record<string, tf.Variable>,
    images: tf.tensor4d(data, shape as [number, number, number, number]),
    labels: tf.tensor1d([...fixture.labels], 'int32'),
  };
}

/** Loss and gradients by parameter name, running statistics moved. */
function gradients({ model, values, images, labels }: Setup, smoothing: number): { loss: number; grads: tf.NamedTensorMap } {
  const names = Object.keys(values).filter((name) => values[name]!.trainable);
  const result = tf.variableGrads(
    () => crossEntropy(model.apply(values, images, true), labels, smoothing).loss,
    names.map((name) => values[name]!),
  );
  return {
    loss: result.value.dataSync()[0]!,
    grads: Object.fromEntries(names.map((name) => [name, result.grads[values[name]!.name]!])),
  };
}

useOracle();

describe.each(fixture.cases.map((each) => ({ title: caseTitle(each), each })))('$title, with PyTorch weights', ({ each }) => {
  it('gives its logits in evaluation', () => {
    const { model, values, images } = setUp(each);
    expect(error(model.apply(values, images, false).dataSync(), unpack(each.evaluationLogits).data)).toBeLessThan(TOLERANCE);
  });

  it('gives its logits and running statistics in training', () => {
    const { model, values, images } = setUp(each);
    expect(error(model.apply(values, images, true).dataSync(), unpack(each.trainingLogits).data)).toBeLessThan(TOLERANCE);
    for (const [name, expected] of Object.entries(each.statistics))
      expect(error(values[name]!.dataSync(), unpack(expected).data), name).toBeLessThan(TOLERANCE);
  });

  it('gives its gradients', () => {
    const { grads } = gradients(setUp(each), each.labelSmoothing);
    for (const [name, expected] of Object.entries(each.gradients))
      expect.soft(error(grads[name]!.dataSync(), fromTorch(expected).data), name).toBeLessThan(TOLERANCE);
    for (const [name, norm] of Object.entries(each.gradientNorms))
      expect.soft(Math.abs(tf.norm(grads[name]!).dataSync()[0]! / norm - 1), name).toBeLessThan(TOLERANCE);
    expect(Object.keys(grads).sort()).toEqual(Object.keys(each.gradientNorms).sort());
  });

  it('takes its steps of SGD', () => {
    const setup = setUp(each);
    const { momentum, weight_decay: weightDecay } = fixture.sgd;
    const lr = tf.scalar(fixture.sgd.lr);
    const velocities: Record<string, tf.Tensor> = {};
    for (const expected of each.losses) {
      const { loss, grads } = gradients(setup, each.labelSmoothing);
      expect.soft(Math.abs(loss / expected - 1)).toBeLessThan(TOLERANCE);
      for (const [name, gradient] of Object.entries(grads)) {
        const parameter = setup.values[name]!;
        const velocity = velocities[name] ?? tf.zerosLike(parameter);
        const next = sgdUpdate({ parameter, velocity, gradient, lr }, { momentum, weightDecay, decayNorm: true });
        velocities[name] = next.velocity;
        parameter.assign(next.parameter);
      }
    }
    for (const [name, expected] of Object.entries(each.after))
      expect.soft(error(setup.values[name]!.dataSync(), fromTorch(expected).data), name).toBeLessThan(TOLERANCE);
  });
});
