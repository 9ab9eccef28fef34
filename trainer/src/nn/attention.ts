// Attention modules at the end of a block's branch: factors in (0, 1) that tell channels, and pixels, apart.
// N batch, H W pixels, C channels, R hidden units.
//
// Squeeze-and-excitation (Hu et al. 2018, section 3): x * sigmoid(fc2(relu(fc1(mean of x over pixels)))).
// CBAM (Woo et al. 2018, section 3): the same with the means and the maxima over pixels through one MLP, added before the sigmoid;
// then each pixel by sigmoid(conv7x7 of the mean and the maximum over its channels).
//
// Dense layers are 1x1 convolutions in the weights, as in the PyTorch ports most used, whose names are taken too: for
// squeeze-and-excitation timm's (`layer1.0.se.fc1.weight`, with biases), for CBAM luuuyi/CBAM.PyTorch's
// (`layer1.0.ca.fc1.weight`, `layer1.0.sa.conv1.weight`, without; neither has a norm, as in the paper's equations).
import * as tf from '@tensorflow/tfjs-core';
import { type ConvSpec, conv, type Pass, value } from './layers.js';
import { globalAveragePool, relu } from './ops.js';

export type Attention = 'none' | 'se' | 'cbam';

export type AttentionSpec =
  | { readonly kind: 'none' }
  | { readonly kind: 'se'; readonly fc1: ConvSpec; readonly fc2: ConvSpec }
  | { readonly kind: 'cbam'; readonly fc1: ConvSpec; readonly fc2: ConvSpec; readonly spatial: ConvSpec };

/** Both papers' reduction, and the fewest hidden units: in narrow nets a sixteenth of the channels would be one or none. */
const REDUCTION = 16;
const FEWEST_HIDDEN = 4;

/** The module behind a block of `channels` outputs. */
export function attentionSpec(block: string, kind: Attention, channels: number): AttentionSpec {
  const hidden = Math.max(FEWEST_HIDDEN, Math.floor(channels / REDUCTION));
  const dense = (name: string, inputs: number, outputs: number, bias: boolean): ConvSpec => ({
    name: `${block}.${name}`,
    side: 1,
    inputs,
    outputs,
    stride: 1,
    bias,
  });
  switch (kind) {
    case 'none':
      return { kind };
    case 'se':
      return { kind, fc1: dense('se.fc1', channels, hidden, true), fc2: dense('se.fc2', hidden, channels, true) };
    case 'cbam':
      return {
        kind,
        fc1: dense('ca.fc1', channels, hidden, false),
        fc2: dense('ca.fc2', hidden, channels, false),
        spatial: { name: `${block}.sa.conv1`, side: 7, inputs: 2, outputs: 1, stride: 1, bias: false },
      };
  }
}

/** The module's convolutions, in the order of the forward pass. */
export function attentionConvs(spec: AttentionSpec): ConvSpec[] {
  if (spec.kind === 'none') return [];
  return [spec.fc1, spec.fc2, ...(spec.kind === 'cbam' ? [spec.spatial] : [])];
}

/** x [N, H, W, C] times the module's factors. */
export function attend(pass: Pass, spec: AttentionSpec, x: tf.Tensor4D): tf.Tensor4D {
  switch (spec.kind) {
    case 'none':
      return x;
    case 'se':
      return tf.mul(x, channelFactors(pass, spec, [globalAveragePool(x)]));
    case 'cbam': {
      const y: tf.Tensor4D = tf.mul(x, channelFactors(pass, spec, [globalAveragePool(x), tf.max(x, [1, 2])]));
      const channels = tf.concat([tf.mean(y, 3, true), tf.max(y, 3, true)], 3) as tf.Tensor4D;
      return tf.mul(y, tf.sigmoid(conv(pass, spec.spatial, channels)));
    }
  }
}

type Mlp = { readonly fc1: ConvSpec; readonly fc2: ConvSpec };

/** The pooled maps [N, C], each through the MLP, to factors [N, 1, 1, C]. */
function channelFactors(pass: Pass, { fc1, fc2 }: Mlp, pooled: readonly tf.Tensor2D[]): tf.Tensor4D {
  const parts = pooled.map((x) => dense(pass, fc2, relu(dense(pass, fc1, x))));
  return tf.reshape(tf.sigmoid(tf.addN(parts)), [-1, 1, 1, fc2.outputs]);
}

/** A 1x1 convolution of a single pixel: x [N, I] to [N, O]. */
function dense(pass: Pass, { name, inputs, outputs, bias }: ConvSpec, x: tf.Tensor2D): tf.Tensor2D {
  const y: tf.Tensor2D = tf.matMul(x, tf.reshape(value(pass, `${name}.weight`), [inputs, outputs]));
  return bias ? tf.add(y, value(pass, `${name}.bias`)) : y;
}
