// One model's training and evaluation as step functions: what jit compiles. Images arrive as bytes and are normalized inside.
import * as tf from '@tensorflow/tfjs-core';
import type { ChannelStatistics } from '../data/contract.js';
import type { Compiled, HostTensor, Precision, Session } from '../jit/contract.js';
import type { InitialValue, Model, ParameterRecord } from '../nn/contract.js';
import { crossEntropy } from '../nn/loss.js';
import { initialVelocity, type SgdOptions, sgdUpdate } from '../optim/sgd.js';

/** Bytes [N, H, W, 3] become x * scale + shift, channel by channel. Inputs, so that one trace serves any data. */
type PixelInputs = { scale: tf.Tensor1D; shift: tf.Tensor1D };
/** images [N, H, W, 3] uint8, labels [N] int32, lr a scalar. */
type TrainInputs = PixelInputs & { images: tf.Tensor4D; labels: tf.Tensor1D; lr: tf.Scalar };
/** `count` images at the front of the batch are evaluated; the others only fill it up to its fixed shape. */
type EvaluateInputs = PixelInputs & { images: tf.Tensor4D; labels: tf.Tensor1D; count: tf.Scalar };
/** `loss` is the batch's mean (training) or the sum over the counted images (evaluation); `correct` counts. */
type Outcome = { loss: tf.Scalar; correct: tf.Scalar };
/** norms [layers, 3]: of the gradient, of the weights before the step, of the step. */
type TrainOutcome = Outcome & { norms: tf.Tensor2D };

export interface StepOptions {
  readonly sgd: SgdOptions;
  readonly labelSmoothing: number;
  readonly precision: Precision;
  readonly pixels: ChannelStatistics;
  readonly xla?: boolean;
  /** Whether a parameter keeps its first value. Default: none does. */
  readonly isFrozen?: (name: string) => boolean;
}

/** A batch in memory that the caller owns: images [N, H, W, 3] uint8, labels [N] int32. */
export interface Batch {
  readonly images: HostTensor;
  readonly labels: HostTensor;
}

export interface StepOutcome {
  readonly loss: number;
  readonly correct: number;
}

/** Euclidean norms of one layer's weights, their gradient and their last step. */
export interface LayerNorms {
  readonly layer: string;
  readonly gradient: number;
  readonly weights: number;
  readonly step: number;
}

const WEIGHT = '.weight';

/** A model in a session: its values and velocities as variables, its two compiled functions. */
export class Learner {
  readonly model: Model;
  /** Parameters and statistics by name. */
  readonly values: ParameterRecord<tf.Variable>;
  /** Velocity of each trained parameter by its name. */
  readonly velocities: ParameterRecord<tf.Variable>;
  /** Trained convolutions and dense layers, by name. */
  readonly #layers: readonly string[];
  readonly #train: Compiled<TrainOutcome>;
  readonly #evaluate: Compiled<Outcome>;
  readonly #lr = scalar();
  readonly #count = scalar();
  readonly #result = { loss: scalar(), correct: scalar() };
  readonly #norms: HostTensor;
  #pixels: Record<keyof PixelInputs, HostTensor>;

  constructor(session: Session, model: Model, initial: ParameterRecord<InitialValue>, options: StepOptions) {
    this.model = model;
    this.values = makeVariables(initial, (value) => value.data);
    const trained = Object.entries(initial).filter(([name, value]) => value.trainable && !options.isFrozen?.(name));
    this.velocities = makeVariables(Object.fromEntries(trained), initialVelocity);
    this.#layers = trained.filter(([, { shape }]) => shape.length > 1).map(([name]) => name.slice(0, -WEIGHT.length));
    this.#norms = { shape: [this.#layers.length, 3], dtype: 'float32', data: new Float32Array(this.#layers.length * 3) };
    this.#pixels = pixelInputs(options.pixels);
    session.adopt([...Object.values(this.values), ...Object.values(this.velocities)]);
    const jit = { precision: options.precision, ...(options.xla !== undefined && { xla: options.xla }) };
    this.#train = session.jit((inputs: TrainInputs) => this.#trainStep(inputs, options), { ...jit, name: `${model.side}_train` });
    this.#evaluate = session.jit((inputs: EvaluateInputs) => this.#evaluateStep(inputs), {
      ...jit,
      name: `${model.side}_evaluate`,
    });
  }

  /** From now on images are normalized by these statistics. */
  setPixels(pixels: ChannelStatistics): void {
    this.#pixels = pixelInputs(pixels);
  }

  /** One step of SGD; mean loss, and how many were right before the update. The batch's memory is free again once the promise settles. */
  async train(batch: Batch, lr: number): Promise<StepOutcome> {
    this.#lr.data[0] = lr;
    return outcome(
      await this.#train.runAsync({ ...batch, ...this.#pixels, lr: this.#lr }, { ...this.#result, norms: this.#norms }),
    );
  }

  /** Norms of the last training step, in the order of the forward pass. */
  get norms(): LayerNorms[] {
    const { data } = this.#norms;
    return this.#layers.map((layer, i) => ({ layer, gradient: data[3 * i]!, weights: data[3 * i + 1]!, step: data[3 * i + 2]! }));
  }

  /** Sums over the first `count` images, with the running statistics. */
  async evaluate(batch: Batch, count: number): Promise<StepOutcome> {
    this.#count.data[0] = count;
    return outcome(await this.#evaluate.runAsync({ ...batch, ...this.#pixels, count: this.#count }, this.#result));
  }

  dispose(): void {
    for (const variable of [...Object.values(this.values), ...Object.values(this.velocities)]) variable.dispose();
  }

  #trainStep({ images, labels, lr, scale, shift }: TrainInputs, { labelSmoothing, sgd }: StepOptions): TrainOutcome {
    const names = Object.keys(this.velocities);
    const parameters = names.map((name) => this.values[name]!);
    const result: { correct?: tf.Scalar } = {};
    const squares: tf.Tensor[] = [];
    const { value: loss, grads } = tf.variableGrads(() => {
      const logits = this.model.apply(this.values, normalize(images, scale, shift), true);
      const { loss, correct } = crossEntropy(logits, labels, labelSmoothing);
      result.correct = tf.keep(correct);
      return loss;
    }, parameters);
    names.forEach((name, i) => {
      const [parameter, velocity] = [parameters[i]!, this.velocities[name]!];
      const next = sgdUpdate({ parameter, velocity, gradient: grads[parameter.name]!, lr }, sgd);
      if (parameter.rank > 1) {
        const gradient = grads[parameter.name]!;
        squares.push(sumOfSquares(gradient), sumOfSquares(parameter), sumOfSquares(next.velocity));
      }
      velocity.assign(next.velocity);
      parameter.assign(next.parameter);
    });
    const correct = tf.clone(result.correct!);
    result.correct!.dispose();
    const factors = tf.stack([tf.scalar(1), tf.scalar(1), lr]);
    const norms = tf.mul(tf.sqrt(tf.reshape(tf.stack(squares), [-1, 3])), factors) as tf.Tensor2D;
    return { loss, correct, norms };
  }

  #evaluateStep({ images, labels, count, scale, shift }: EvaluateInputs): Outcome {
    const logits = this.model.apply(this.values, normalize(images, scale, shift), false);
    const [examples, classes] = logits.shape;
    const counted = tf.cast(tf.less(tf.range(0, examples, 1, 'float32'), count), 'float32');
    const ofLabel = tf.mul(tf.logSoftmax(logits), tf.cast(tf.oneHot(labels, classes), 'float32'));
    const right = tf.cast(tf.equal(tf.argMax(logits, 1), labels), 'float32');
    return { loss: tf.neg(tf.sum(tf.mul(tf.sum(ofLabel, 1), counted))), correct: tf.sum(tf.mul(right, counted)) };
  }
}

const normalize = (images: tf.Tensor4D, scale: tf.Tensor1D, shift: tf.Tensor1D): tf.Tensor4D =>
  tf.add(tf.mul(tf.cast(images, 'float32'), scale), shift);

/** Numbers with mean 0 and deviation 1 over the training images. */
function pixelInputs({ mean, std }: ChannelStatistics): Record<keyof PixelInputs, HostTensor> {
  const vector = (values: readonly number[]): HostTensor => ({ shape: [3], dtype: 'float32', data: Float32Array.from(values) });
  return { scale: vector(std.map((s) => 1 / s)), shift: vector(mean.map((m, c) => -m / std[c]!)) };
}

/** As a product of the vector with itself, which needs no memory for the squares. */
function sumOfSquares(x: tf.Tensor): tf.Scalar {
  const row = tf.reshape(x, [1, -1]) as tf.Tensor2D;
  return tf.reshape(tf.matMul(row, row, false, true), []) as tf.Scalar;
}

function scalar(): HostTensor {
  return { shape: [], dtype: 'float32', data: new Float32Array(1) };
}

const outcome = ({ loss, correct }: Record<keyof Outcome, HostTensor>): StepOutcome => ({
  loss: loss.data[0]!,
  correct: correct.data[0]!,
});

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
