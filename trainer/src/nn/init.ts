// First values: drawn by seed and parameter name alone, so that layers which both twins have start identical.
import { randomStream } from '../random.js';
import type { InitialValue, ParameterRecord } from './contract.js';
import type { ConvNormSpec, ConvSpec } from './layers.js';
import { convNorms, type NetworkSpec } from './spec.js';

interface InitOptions {
  readonly seed: number;
  /** Start the scale of each block's last norm at 0 instead of 1. */
  readonly zeroGamma: boolean;
}

type Entry = [name: string, value: InitialValue];

/** Values of every parameter and statistic of a network. */
export function initialize(spec: NetworkSpec, { seed, zeroGamma }: InitOptions): ParameterRecord<InitialValue> {
  const lastNorms = new Set(spec.blocks.map((b) => b.second.norm));
  const layers = convNorms(spec).flatMap((layer) => convNormValues(layer, seed, zeroGamma && lastNorms.has(layer.norm) ? 0 : 1));
  return Object.fromEntries([...layers, ...denseValues(spec, seed)]);
}

function convNormValues({ conv, norm }: ConvNormSpec, seed: number, scale: number): Entry[] {
  const shape = [conv.outputs];
  const weights: Entry[] = [[`${conv.name}.weight`, heNormal(conv, seed)]];
  if (conv.bias) weights.push([`${conv.name}.bias`, filled(shape, 0, true)]);
  if (!norm) return weights;
  return [
    ...weights,
    [`${norm}.weight`, filled(shape, scale, true)],
    [`${norm}.bias`, filled(shape, 0, true)],
    [`${norm}.running_mean`, filled(shape, 0, false)],
    [`${norm}.running_var`, filled(shape, 1, false)],
  ];
}

/** Normal with variance 2 / (K K O): He et al. 2015, "Delving Deep into Rectifiers", eq. 14 (torchvision's fan_out). [K, K, I, O]. */
function heNormal({ name, side, inputs, outputs }: ConvSpec, seed: number): InitialValue {
  const deviation = Math.sqrt(2 / (side * side * outputs));
  const stream = randomStream(seed, 'parameter', `${name}.weight`);
  const data = Float32Array.from({ length: side * side * inputs * outputs }, () => deviation * stream.normal());
  return { shape: [side, side, inputs, outputs], data, trainable: true };
}

/** Uniform within 1 / sqrt(features), as PyTorch's Linear. */
function denseValues({ features, classes }: NetworkSpec, seed: number): Entry[] {
  const bound = 1 / Math.sqrt(features);
  const draw = (name: string, shape: number[]): Entry => {
    const stream = randomStream(seed, 'parameter', name);
    const length = shape.reduce((a, b) => a * b, 1);
    return [name, { shape, data: Float32Array.from({ length }, () => bound * (2 * stream.uniform() - 1)), trainable: true }];
  };
  return [draw('fc.weight', [features, classes]), draw('fc.bias', [classes])];
}

const filled = (shape: number[], value: number, trainable: boolean): InitialValue => ({
  shape,
  data: new Float32Array(shape[0]!).fill(value),
  trainable,
});
