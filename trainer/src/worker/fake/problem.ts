// What a fake model learns: a problem with a known optimum whose gradient costs next to nothing, yet depends on every weight, on
// every byte of a batch, and is a mean over examples.
//
// Each example e has a target for the P weights, a_e * u + b_e * v, with directions u, v of the model and two numbers from the
// example's bytes. Its loss is half the mean of (w - target)^2; its gradient, P times that of the loss, is w - target.
import { crc32 } from 'node:zlib';
import { randomStream } from '../../random.js';
import type { Batch } from '../graphs.js';

/** Inner products with the directions. */
export interface Alignment {
  readonly ww: number;
  readonly wu: number;
  readonly wv: number;
  readonly uu: number;
  readonly uv: number;
  readonly vv: number;
  readonly weights: number;
}

interface Example {
  readonly a: number;
  readonly b: number;
}

/** The two directions of a tensor: 2 * size numbers in (-1, 1), by its name alone. */
export function directions(name: string, size: number): { readonly u: Float32Array; readonly v: Float32Array } {
  const random = randomStream(0, 'direction', name);
  const draw = (): Float32Array => Float32Array.from({ length: size }, () => 2 * random.uniform() - 1);
  return { u: draw(), v: draw() };
}

/** The examples of a batch; `salt` stands for how its bytes are read, such as their normalization. */
export function* examplesOf({ images, labels }: Batch, salt: number): Generator<Example> {
  const count = labels.data.length;
  const bytes = images.data.length / count;
  const data = images.data as Uint8Array;
  for (let i = 0; i < count; i++) {
    const hash = crc32(data.subarray(i * bytes, (i + 1) * bytes), (salt + labels.data[i]!) >>> 0);
    yield { a: 0.5 + (hash & 0xffff) / 0x20000, b: (hash >>> 16) / 0x10000 - 0.5 };
  }
}

export function lossOf({ a, b }: Example, { ww, wu, wv, uu, uv, vv, weights }: Alignment): number {
  return (ww - 2 * a * wu - 2 * b * wv + a * a * uu + 2 * a * b * uv + b * b * vv) / (2 * weights);
}

/** An example is right once half of its target is learned. */
export const isRight = (example: Example, at: Alignment): boolean =>
  lossOf(example, at) < lossOf(example, { ...at, ww: 0, wu: 0, wv: 0 }) / 2;

export function align(tensors: Iterable<{ w: Float32Array; u: Float32Array; v: Float32Array }>): Alignment {
  const sums = { ww: 0, wu: 0, wv: 0, uu: 0, uv: 0, vv: 0, weights: 0 };
  for (const { w, u, v } of tensors) {
    for (let i = 0; i < w.length; i++) {
      const [x, p, q] = [w[i]!, u[i]!, v[i]!];
      sums.ww += x * x;
      sums.wu += x * p;
      sums.wv += x * q;
      sums.uu += p * p;
      sums.uv += p * q;
      sums.vv += q * q;
    }
    sums.weights += w.length;
  }
  return sums;
}
