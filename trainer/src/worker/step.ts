// One model's training and evaluation in a session: its variables and its compiled functions. Images arrive as bytes.
import * as tf from '@tensorflow/tfjs-core';
import type { ExchangeLayout } from '../allreduce/contract.js';
import type { ChannelStatistics } from '../data/contract.js';
import type { Compiled, HostTensor, Precision, Session } from '../jit/contract.js';
import type { InitialValue, Model, ParameterRecord } from '../nn/contract.js';
import { initialVelocity, type SgdOptions } from '../optim/sgd.js';
import { type Batch, type BatchInputs, descend, gradientsOf, normalize, type PixelInputs, type Trained } from './graphs.js';
import { type SharedOutcome, type SharedRequest, SharedSteps, type SyncNorm } from './shared-steps.js';

export type { Batch } from './graphs.js';

type TrainInputs = BatchInputs & { lr: tf.Scalar };
/** `count` images at the front of the batch are evaluated; the others only fill it up to its fixed shape. */
type EvaluateInputs = BatchInputs & { count: tf.Scalar };
/** `loss` is the batch's mean (training) or the sum over the counted images (evaluation); `correct` counts. */
type Outcome = { loss: tf.Scalar; correct: tf.Scalar };
type TrainOutcome = Outcome & { norms: tf.Tensor2D };

export interface StepOptions {
  readonly sgd: SgdOptions;
  readonly labelSmoothing: number;
  readonly precision: Precision;
  readonly pixels: ChannelStatistics;
  readonly xla?: boolean;
  /** Whether a parameter keeps its first value. Default: none does. */
  readonly isFrozen?: (name: string) => boolean;
  /** Default: in shared steps too, norms are over each part of a batch alone. */
  readonly syncNorm?: SyncNorm;
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
  readonly #shared: SharedSteps;
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
    const { sgd, labelSmoothing } = options;
    const trainedModel: Trained = { model, values: this.values, velocities: this.velocities, sgd, labelSmoothing };
    this.#shared = new SharedSteps(session, trainedModel, { ...jit, ...(options.syncNorm && { syncNorm: options.syncNorm }) });
    this.#train = session.jit((inputs: TrainInputs) => this.#trainStep(inputs, trainedModel), {
      ...jit,
      name: `${model.side}_train`,
    });
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

  /** What `trainShared` exchanges: the trained parameters' gradients in their order; loss, right ones and batch statistics. */
  get layout(): ExchangeLayout {
    return this.#shared.layout;
  }

  /** What `syncExchange` exchanges at most, where norms are over all ranks. */
  get syncLayout(): ExchangeLayout | undefined {
    return this.#shared.syncLayout;
  }

  /**
   * One step of SGD by the mean gradient of all ranks' examples, running statistics moved by the mean of their batch statistics:
   * ranks that get the same means have the same bits afterwards. Compiled at the first call. Where `exchange` fails, its error is
   * thrown and nothing has changed.
   */
  trainShared(request: SharedRequest): Promise<SharedOutcome> {
    return this.#shared.run(request, this.#pixels, this.#norms);
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
    this.#shared.dispose();
  }

  #trainStep({ lr, ...inputs }: TrainInputs, trained: Trained): TrainOutcome {
    const { loss, correct, gradients } = gradientsOf(trained, inputs, { training: true });
    return { loss, correct, norms: descend(trained, gradients, lr) };
  }

  #evaluateStep({ images, labels, count, ...pixels }: EvaluateInputs): Outcome {
    const logits = this.model.apply(this.values, normalize(images, pixels), false);
    const [examples, classes] = logits.shape;
    const counted = tf.cast(tf.less(tf.range(0, examples, 1, 'float32'), count), 'float32');
    const ofLabel = tf.mul(tf.logSoftmax(logits), tf.cast(tf.oneHot(labels, classes), 'float32'));
    const right = tf.cast(tf.equal(tf.argMax(logits, 1), labels), 'float32');
    return { loss: tf.neg(tf.sum(tf.mul(tf.sum(ofLabel, 1), counted))), correct: tf.sum(tf.mul(right, counted)) };
  }
}

/** Numbers with mean 0 and deviation 1 over the training images. */
function pixelInputs({ mean, std }: ChannelStatistics): Record<keyof PixelInputs, HostTensor> {
  const vector = (values: readonly number[]): HostTensor => ({ shape: [3], dtype: 'float32', data: Float32Array.from(values) });
  return { scale: vector(std.map((s) => 1 / s)), shift: vector(mean.map((m, c) => -m / std[c]!)) };
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
