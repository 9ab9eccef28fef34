// A model is a pure description: initial values, and a function from parameters and images to logits. Data parallelism,
// optimizers and sessions are applied outside.
import type { Tensor, Tensor1D, Tensor2D, Tensor4D, Variable } from '@tensorflow/tfjs-core';

/** Parameters (trained) and statistics (running averages) by torchvision's names: `layer1.0.conv1.weight`, `layer1.0.bn1.running_mean`. */
export type ParameterRecord<T = Tensor> = Readonly<Record<string, T>>;

/** Initial value of one parameter or statistic, in TensorFlow.js' layout: convolutions HWIO, dense [in, out]. */
export interface InitialValue {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** Statistics are written by the forward pass in training, not by the optimizer. */
  readonly trainable: boolean;
}

/** One row of the cost table: a layer as it runs on one image. */
export interface LayerCost {
  readonly name: string;
  readonly kind: 'conv' | 'norm' | 'dense';
  /** [height, width, channels] of the output, [classes] for a dense layer. */
  readonly output: readonly number[];
  readonly parameters: number;
  /** Floating-point operations of one forward pass of one image; a multiply-add counts 2. */
  readonly flops: number;
}

/** What a norm saw in a batch, by channel [C]: the mean, and the unbiased variance. No gradient flows through them. */
export interface BatchStatistics {
  readonly mean: Tensor1D;
  readonly variance: Tensor1D;
}

/** A forward pass in training whose caller moves the running statistics itself. */
export interface TrainingPass {
  /** Receives each norm's statistics, by its name (`layer1.0.bn1`), and disposes of them. */
  readonly onStatistics: (norm: string, statistics: BatchStatistics) => void;
  /** Batch norm: x [N, H, W, C], scale, offset [C]. Default: over the examples of this pass alone. */
  readonly normalize?: (x: Tensor4D, scale: Tensor1D, offset: Tensor1D) => BatchStatistics & { readonly y: Tensor4D };
}

export interface Model {
  /** 'resnet' or 'plain': the name of the side in charts, files and tags. */
  readonly side: 'resnet' | 'plain';
  /** For people: 'ResNet-20', 'Plain-20', 'SE-ResNet-20'. */
  readonly title: string;
  /** Values drawn from the seed by parameter name, so layers that both twins have start identical. */
  initialize(seed: number): ParameterRecord<InitialValue>;
  /**
   * images [N, H, W, 3] float32, normalized, to logits [N, K]. With `training`, batch statistics are used and the running
   * ones (variables in `values`) are assigned; or the statistics are handed over instead.
   */
  apply(values: ParameterRecord<Tensor | Variable>, images: Tensor4D, training: boolean | TrainingPass): Tensor2D;
  readonly layers: readonly LayerCost[];
}
