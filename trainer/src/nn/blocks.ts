// The basic block of He et al. 2015, figure 2: two 3x3 convolutions, and in residual nets a shortcut around them.
import * as tf from '@tensorflow/tfjs-core';
import { type AttentionSpec, attend } from './attention.js';
import { type ConvNormSpec, convNorm, type Pass } from './layers.js';
import { everySecondPixel, relu } from './ops.js';

/**
 * How a block's input reaches its output: not at all (plain nets), as it is, with zeros for the channels it lacks (option A:
 * no parameters), or through a 1x1 convolution (option B).
 */
export type Shortcut =
  | { readonly kind: 'none' }
  | { readonly kind: 'identity' }
  | { readonly kind: 'pad'; readonly stride: 1 | 2; readonly before: number; readonly after: number }
  | { readonly kind: 'project'; readonly spec: ConvNormSpec };

export interface BlockSpec {
  readonly name: string;
  readonly first: ConvNormSpec;
  readonly second: ConvNormSpec;
  readonly attention: AttentionSpec;
  readonly shortcut: Shortcut;
}

/**
 * ```
 * x ─► conv ─ norm ─ relu ─ conv ─ norm ─ attention ─►(+)─ relu ─►
 *  └──────────────────── shortcut ───────────────────►─┘            (plain: no shortcut; attention where asked for)
 * ```
 */
export function block(pass: Pass, spec: BlockSpec, x: tf.Tensor4D): tf.Tensor4D {
  const branch = attend(pass, spec.attention, convNorm(pass, spec.second, relu(convNorm(pass, spec.first, x))));
  return relu(spec.shortcut.kind === 'none' ? branch : tf.add(branch, shortcut(pass, spec.shortcut, x)));
}

function shortcut(pass: Pass, way: Exclude<Shortcut, { kind: 'none' }>, x: tf.Tensor4D): tf.Tensor4D {
  switch (way.kind) {
    case 'identity':
      return x;
    case 'project':
      return convNorm(pass, way.spec, x);
    case 'pad': {
      const seen = way.stride === 1 ? x : everySecondPixel(x);
      return tf.pad(seen, [
        [0, 0],
        [0, 0],
        [0, 0],
        [way.before, way.after],
      ]);
    }
  }
}
