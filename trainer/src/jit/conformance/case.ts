// What one line of the conformance table says: an op call on named inputs. An engine passes when its results, and their
// gradients with respect to every float input, equal those of TensorFlow.js' pure-JavaScript backend.
import type * as tf from '@tensorflow/tfjs-core';
import { type RandomStream, randomStream } from '../../random.js';
import type { HostDType, HostTensor } from '../contract.js';

/** A tensor whose rank the table does not spell out. */
// biome-ignore lint/suspicious/noExplicitAny: one line calls ops of any rank; each op checks its own at run time.
export type AnyTensor = tf.Tensor<any>;

/** How an input is made; its values depend on nothing but the case's and the input's name. */
export interface Input {
  readonly dtype: HostDType;
  readonly shape: readonly number[];
  readonly value: (random: RandomStream, index: number) => number;
}

type Fn<K extends string> = (inputs: Readonly<Record<K, AnyTensor>>) => AnyTensor | readonly AnyTensor[];

export interface CaseOptions<K extends string = string> {
  /** Inputs to differentiate by. Default: all of float32; none where TensorFlow.js has no gradient (a comment says so). */
  readonly gradient?: readonly string[] | 'none';
  /** What the oracle computes instead, where its own op is wrong; a comment says how. */
  readonly reference?: Fn<K>;
  /** Largest difference allowed, relative to the largest value expected. Default `TOLERANCE`; a comment gives the reason. */
  readonly tolerance?: number;
}

export interface ConformanceCase extends CaseOptions {
  readonly name: string;
  readonly inputs: Readonly<Record<string, Input>>;
  readonly fn: Fn<string>;
}

/** One line of the table. */
export function op<K extends string>(
  name: string,
  inputs: Readonly<Record<K, Input>>,
  fn: Fn<K>,
  options: CaseOptions<NoInfer<K>> = {},
): ConformanceCase {
  // The suite calls it with just these inputs.
  return { ...(options as CaseOptions), name, inputs, fn: fn as Fn<string> };
}

const uniform =
  (low: number, high: number) =>
  (...shape: number[]): Input => ({ dtype: 'float32', shape, value: (random) => low + (high - low) * random.uniform() });

/** Uniform in (-2, 2). */
export const real = uniform(-2, 2);
/** Uniform in (0.2, 3): for logarithms, roots and divisors. */
export const positive = uniform(0.2, 3);
/** Uniform in (0.05, 0.95): probabilities. */
export const unit = uniform(0.05, 0.95);
/** Uniform in (-20, 20): far into the flat parts of activations. */
export const wide = uniform(-20, 20);

/** int32, uniform in 0..limit-1. */
export const whole = (limit: number, ...shape: number[]): Input => ({
  dtype: 'int32',
  shape,
  value: (random) => random.below(limit),
});
/** int32, uniform in -9..9. */
export const signed = (...shape: number[]): Input => ({ dtype: 'int32', shape, value: (random) => random.below(19) - 9 });
export const bytes = (...shape: number[]): Input => ({ dtype: 'uint8', shape, value: (random) => random.below(256) });
export const flags = (...shape: number[]): Input => ({ dtype: 'bool', shape, value: (random) => random.below(2) });
/** float32 with these values. */
export const floats = (...values: number[]): Input => ({
  dtype: 'float32',
  shape: [values.length],
  value: (_, i) => values[i]!,
});
/** int32 with these values. */
export const ints = (...values: number[]): Input => ({ ...floats(...values), dtype: 'int32' });
/** float32 with many equal values: 0, 1 or 2. */
export const tied = (...shape: number[]): Input => ({ dtype: 'float32', shape, value: (random) => random.below(3) });

const ARRAYS = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array, bool: Uint8Array } as const;

/** The input's values. */
export function makeInput(caseName: string, name: string, { dtype, shape, value }: Input): HostTensor {
  const random = randomStream(1, caseName, name);
  const data = new ARRAYS[dtype](shape.reduce((product, n) => product * n, 1));
  for (let i = 0; i < data.length; i++) data[i] = value(random, i);
  return { dtype, shape, data };
}
