// What PyTorch computes for small networks of ours (made by infra/fixtures/torch_models.py), for the tests of every engine.
import { readFileSync } from 'node:fs';
import type { Architecture } from './architecture.js';
import type { InitialValue, ParameterRecord } from './contract.js';
import type { ModelOptions } from './spec.js';

/** A tensor in PyTorch's layout; `data` is little-endian float32 in base64. */
export interface TorchTensor {
  readonly shape: readonly number[];
  readonly data: string;
}

type TorchTensors = Readonly<Record<string, TorchTensor>>;

export interface TorchCase extends Pick<ModelOptions, 'side' | 'shortcut' | 'norm' | 'attention'> {
  readonly family: Architecture;
  readonly labelSmoothing: number;
  /** Before any step, with the running statistics. */
  readonly evaluationLogits: TorchTensor;
  /** Before any step, with the batch's statistics. */
  readonly trainingLogits: TorchTensor;
  readonly gradients: TorchTensors;
  /** Euclidean norm of every parameter's gradient. */
  readonly gradientNorms: Readonly<Record<string, number>>;
  /** Running statistics after the first forward pass in training. */
  readonly statistics: TorchTensors;
  /** Before the first, second and third step of SGD. */
  readonly losses: readonly number[];
  /** Some parameters after the third. */
  readonly after: TorchTensors;
}

export interface TorchFixture {
  readonly sgd: { readonly lr: number; readonly momentum: number; readonly weight_decay: number };
  readonly families: Readonly<Record<Architecture, { readonly depth: number; readonly width: number; readonly classes: number }>>;
  /** [N, H, W, 3] */
  readonly images: TorchTensor;
  readonly labels: readonly number[];
  /** Values of every name that a case of the family may have. */
  readonly weights: Readonly<Record<Architecture, TorchTensors>>;
  readonly cosine: { readonly lr: number; readonly steps: number; readonly rates: readonly number[] };
  /** MultiStepLR behind LinearLR, both stepped once per batch. */
  readonly warmStep: {
    readonly lr: number;
    readonly steps: number;
    readonly warmupSteps: number;
    readonly rates: readonly number[];
  };
  readonly loss: {
    readonly smoothing: number;
    readonly labels: readonly number[];
    readonly logits: TorchTensor;
    readonly loss: number;
    readonly gradient: TorchTensor;
  };
  readonly cases: readonly TorchCase[];
}

export const torchFixture = (): TorchFixture =>
  JSON.parse(readFileSync(new URL('./fixtures/torch-models.json', import.meta.url), 'utf8')) as TorchFixture;

const ATTENTION_TITLES = { none: '', se: ', squeeze-and-excitation', cbam: ', CBAM' } as const;

export const caseTitle = ({ family, side, shortcut, norm, attention }: TorchCase): string =>
  `${family} ${side}${side === 'resnet' ? ` with shortcut ${shortcut}` : ''}${norm === 'none' ? ' without norm' : ''}${ATTENTION_TITLES[attention]}`;

/** The options that make our model of a case. */
export function caseOptions(
  { families, images }: TorchFixture,
  { family, side, shortcut, norm, attention }: TorchCase,
): ModelOptions {
  const imageSize = [images.shape[1]!, images.shape[2]!] as const;
  return { ...families[family], arch: family, side, shortcut, norm, attention, zeroGamma: false, imageSize };
}

/** PyTorch's values for the names of `initial`. */
export function torchValues(initial: ParameterRecord<InitialValue>, tensors: TorchTensors): ParameterRecord<InitialValue> {
  return Object.fromEntries(
    Object.entries(initial).map(([name, { trainable }]) => [name, { ...fromTorch(tensors[name]!), trainable }]),
  );
}

interface Values {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Images and logits, which have the same layout on both sides. */
export function unpack({ shape, data }: TorchTensor): Values {
  const bytes = Buffer.from(data, 'base64');
  return { shape, data: new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)) };
}

/** A parameter in our layout: convolutions OIHW to HWIO, dense [out, in] to [in, out], vectors as they are. */
export function fromTorch(tensor: TorchTensor): Values {
  const values = unpack(tensor);
  switch (values.shape.length) {
    case 4:
      return transpose(values, [2, 3, 1, 0]);
    case 2:
      return transpose(values, [1, 0]);
    default:
      return values;
  }
}

/** Axis i of the result is axis `order[i]` of the source. */
function transpose({ shape: from, data: source }: Values, order: readonly number[]): Values {
  const strides = from.map((_, axis) => from.slice(axis + 1).reduce((a, b) => a * b, 1));
  const shape = order.map((axis) => from[axis]!);
  const data = source.map((_, index) => {
    let rest = index;
    let offset = 0;
    for (let i = shape.length - 1; i >= 0; i--) {
      offset += (rest % shape[i]!) * strides[order[i]!]!;
      rest = Math.floor(rest / shape[i]!);
    }
    return source[offset]!;
  });
  return { shape, data };
}
