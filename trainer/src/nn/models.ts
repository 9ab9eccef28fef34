// A network's description and its forward pass, tied into a model.
import type { Tensor, Tensor2D, Tensor4D, Variable } from '@tensorflow/tfjs-core';
import { block } from './blocks.js';
import type { InitialValue, LayerCost, Model, ParameterRecord, TrainingPass } from './contract.js';
import { costs } from './cost.js';
import { initialize } from './init.js';
import { convNorm, head, type Pass } from './layers.js';
import { relu } from './ops.js';
import { type ModelOptions, type NetworkSpec, networkSpec } from './spec.js';

const ATTENTION_TITLES = { none: '', se: 'SE-', cbam: 'CBAM-' } as const;

/** @throws TrainerError (usage) where the family has no such depth. */
export function createModel(options: ModelOptions): Model {
  const spec = networkSpec(options);
  const layers: readonly LayerCost[] = costs(spec, options.imageSize);
  return {
    side: options.side,
    title: `${ATTENTION_TITLES[options.attention]}${options.side === 'resnet' ? 'ResNet' : 'Plain'}-${options.depth}`,
    layers,
    initialize: (seed): ParameterRecord<InitialValue> =>
      initialize(spec, { seed, zeroGamma: options.zeroGamma && options.side === 'resnet' }),
    apply: (values: ParameterRecord<Tensor | Variable>, images: Tensor4D, training: boolean | TrainingPass): Tensor2D =>
      forward({ values, training }, spec, images),
  };
}

function forward(pass: Pass, spec: NetworkSpec, images: Tensor4D): Tensor2D {
  let x = relu(convNorm(pass, spec.stem, images));
  for (const each of spec.blocks) x = block(pass, each, x);
  return head(pass, x);
}
