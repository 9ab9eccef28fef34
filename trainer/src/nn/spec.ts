// The two families, residual and plain: `imagenet` (18 and 34 layers, four stages of 64 to 512 channels, here with the 3x3 stem
// that small images need) and `cifar` (He et al. 2015, section 4.2: 6n+2 layers, three stages of 16 to 64 channels).
import { usageError } from '../errors.js';
import { type Architecture, FAMILIES } from './architecture.js';
import { type Attention, attentionConvs, attentionSpec } from './attention.js';
import type { BlockSpec, Shortcut } from './blocks.js';
import type { ConvNormSpec } from './layers.js';

export interface ModelOptions {
  readonly side: 'resnet' | 'plain';
  readonly arch: Architecture;
  readonly depth: number;
  /** Multiplies every stage's channels, rounded, at least 1. */
  readonly width: number;
  readonly shortcut: 'A' | 'B';
  readonly norm: 'batch' | 'none';
  readonly attention: Attention;
  /** Starts the last norm of each block at 0, so that a residual block starts as the identity (Goyal et al. 2017). Residual only. */
  readonly zeroGamma: boolean;
  readonly classes: number;
  /** [height, width] of the images, for the cost table. */
  readonly imageSize: readonly [number, number];
}

/** The layers of a network, in order. */
export interface NetworkSpec {
  readonly stem: ConvNormSpec;
  readonly blocks: readonly BlockSpec[];
  readonly features: number;
  readonly classes: number;
}

/** @throws TrainerError (usage) where the family has no such depth. */
export function networkSpec(options: ModelOptions): NetworkSpec {
  const family = FAMILIES[options.arch];
  const counts = family.blocksPerStage(options.depth);
  if (!counts) throw usageError(`the ${options.arch} family has no depth ${options.depth}: choose ${family.depths}`);
  const widths = family.widths.map((w) => Math.max(1, Math.round(w * options.width)));
  const layer = convNormMaker(options.norm === 'batch');
  const blocks = counts.flatMap((count, stage) =>
    Array.from({ length: count }, (_, i) => {
      const first = i === 0;
      const inputs = first ? widths[Math.max(0, stage - 1)]! : widths[stage]!;
      return blockSpec({
        name: `layer${stage + 1}.${i}`,
        inputs,
        outputs: widths[stage]!,
        stride: first && stage > 0 ? 2 : 1,
        layer,
        options,
      });
    }),
  );
  return {
    stem: layer('conv1', 'bn1', { side: 3, inputs: 3, outputs: widths[0]!, stride: 1 }),
    blocks,
    features: widths.at(-1)!,
    classes: options.classes,
  };
}

type Sizes = Pick<ConvNormSpec['conv'], 'side' | 'inputs' | 'outputs' | 'stride'>;
type LayerMaker = (conv: string, norm: string, sizes: Sizes) => ConvNormSpec;

const convNormMaker =
  (batchNorm: boolean): LayerMaker =>
  (conv, norm, sizes) => ({ conv: { name: conv, ...sizes, bias: !batchNorm }, norm: batchNorm ? norm : undefined });

interface BlockOptions {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly stride: 1 | 2;
  readonly layer: LayerMaker;
  readonly options: ModelOptions;
}

function blockSpec({ name, inputs, outputs, stride, layer, options }: BlockOptions): BlockSpec {
  return {
    name,
    first: layer(`${name}.conv1`, `${name}.bn1`, { side: 3, inputs, outputs, stride }),
    second: layer(`${name}.conv2`, `${name}.bn2`, { side: 3, inputs: outputs, outputs, stride: 1 }),
    attention: attentionSpec(name, options.attention, outputs),
    shortcut: shortcutOf(),
  };

  function shortcutOf(): Shortcut {
    if (options.side === 'plain') return { kind: 'none' };
    if (stride === 1 && inputs === outputs) return { kind: 'identity' };
    const missing = outputs - inputs;
    if (options.shortcut === 'A' && missing >= 0)
      return { kind: 'pad', stride, before: Math.floor(missing / 2), after: Math.ceil(missing / 2) };
    return { kind: 'project', spec: layer(`${name}.downsample.0`, `${name}.downsample.1`, { side: 1, inputs, outputs, stride }) };
  }
}

/** Every convolution with its norm, those of attention modules (which have none) included, in the order of the forward pass. */
export const convNorms = (spec: NetworkSpec): ConvNormSpec[] => [
  spec.stem,
  ...spec.blocks.flatMap((b) => [
    b.first,
    b.second,
    ...attentionConvs(b.attention).map((conv) => ({ conv, norm: undefined })),
    ...(b.shortcut.kind === 'project' ? [b.shortcut.spec] : []),
  ]),
];
