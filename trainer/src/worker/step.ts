// One model's training and evaluation as step functions: what jit compiles. Images arrive as bytes and are normalized inside.
import * as tf from '@tensorflow/tfjs-core';
import type { ChannelStatistics } from '../data/contract.js';
import type { Compiled, Precision, Session } from '../jit/contract.js';
import type { InitialValue, Model, ParameterRecord } from '../nn/contract.js';
import { crossEntropy } from '../nn/loss.js';
import { initialVelocity, type SgdOptions, sgdUpdate } from '../optim/sgd.js';

/** images [N, H, W, 3] uint8, labels [N] int32, lr a scalar. */
type TrainInputs = { images: tf.Tensor4D; labels: tf.Tensor1D; lr: tf.Scalar };
type EvaluateInputs = Pick<TrainInputs, 'images' | 'labels'> & { count: tf.Scalar };
/** `loss` is the batch's mean (training) or the sum over the counted images (evaluation); `correct` counts. */
type Outcome = { loss: tf.Scalar; correct: tf.Scalar };

export interface StepOptions {
  readonly sgd: SgdOptions;
  readonly labelSmoothing: number;
  readonly precision: Precision;
  readonly pixels: ChannelStatistics;
  readonly xla?: boolean;
}

/** A model in a session: its values and velocities as variables, its two compiled functions. */
export class Learner {
  readonly model: Model;
  /** Parameters and statistics by name. */
  readonly values: ParameterRecord<tf.Variable>;
  /** Velocity of each parameter by its name. */
  readonly velocities: ParameterRecord<tf.Variable>;
  readonly train: Compiled<Outcome>;
  readonly evaluate: Compiled<Outcome>;

  constructor(session: Session, model: Model, initial: ParameterRecord<InitialValue>, options: StepOptions) {
    this.model = model;
    this.values = makeVariables(initial, (value) => value.data);
    const trainable = Object.fromEntries(Object.entries(initial).filter(([, value]) => value.trainable));
    this.velocities = makeVariables(trainable, initialVelocity);
    session.adopt([...Object.values(this.values), ...Object.values(this.velocities)]);
    const jit = { precision: options.precision, ...(options.xla !== undefined && { xla: options.xla }) };
    this.train = session.jit((inputs: TrainInputs) => this.#train(inputs, options), { ...jit, name: `${model.side}_train` });
    this.evaluate = session.jit((inputs: EvaluateInputs) => this.#evaluate(inputs, options), {
      ...jit,
      name: `${model.side}_evaluate`,
    });
  }

  dispose(): void {
    for (const variable of [...Object.values(this.values), ...Object.values(this.velocities)]) variable.dispose();
  }

  #train({ images, labels, lr }: TrainInputs, { pixels, labelSmoothing, sgd }: StepOptions): Outcome {
    const names = Object.keys(this.velocities);
    const parameters = names.map((name) => this.values[name]!);
    const outcome: { correct?: tf.Scalar } = {};
    const { value: loss, grads } = tf.variableGrads(() => {
      const result = crossEntropy(this.model.apply(this.values, normalize(images, pixels), true), labels, labelSmoothing);
      outcome.correct = tf.keep(result.correct);
      return result.loss;
    }, parameters);
    names.forEach((name, i) => {
      const [parameter, velocity] = [parameters[i]!, this.velocities[name]!];
      const next = sgdUpdate({ parameter, velocity, gradient: grads[parameter.name]!, lr }, sgd);
      velocity.assign(next.velocity);
      parameter.assign(next.parameter);
    });
    const correct = tf.clone(outcome.correct!);
    outcome.correct!.dispose();
    return { loss, correct };
  }

  /** Images past `count` fill the batch up to its fixed shape and do not count. */
  #evaluate({ images, labels, count }: EvaluateInputs, { pixels }: StepOptions): Outcome {
    const logits = this.model.apply(this.values, normalize(images, pixels), false);
    const [examples, classes] = logits.shape;
    const counted = tf.cast(tf.less(tf.range(0, examples, 1, 'float32'), count), 'float32');
    const ofLabel = tf.mul(tf.logSoftmax(logits), tf.cast(tf.oneHot(labels, classes), 'float32'));
    const right = tf.cast(tf.equal(tf.argMax(logits, 1), labels), 'float32');
    return { loss: tf.neg(tf.sum(tf.mul(tf.sum(ofLabel, 1), counted))), correct: tf.sum(tf.mul(right, counted)) };
  }
}

/** Bytes [N, H, W, 3] to numbers with mean 0 and deviation 1 over the training set, channel by channel. */
function normalize(images: tf.Tensor4D, { mean, std }: ChannelStatistics): tf.Tensor4D {
  const scale = tf.tensor1d(std.map((s) => 1 / s));
  const shift = tf.tensor1d(mean.map((m, c) => -m / std[c]!));
  return tf.add(tf.mul(tf.cast(images, 'float32'), scale), shift);
}

function makeVariables(
  initial: ParameterRecord<InitialValue>,
  data: (value: InitialValue) => Float32Array,
): ParameterRecord<tf.Variable> {
  return Object.fromEntries(
    Object.entries(initial).map(([name, value]) => {
      const tensor = tf.tensor(data(value), [...value.shape]);
      const variable = tf.variable(tensor, value.trainable);
      tensor.dispose();
      return [name, variable];
    }),
  );
}
