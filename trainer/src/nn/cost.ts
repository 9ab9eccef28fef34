// What a network costs: parameters and floating-point operations, layer by layer.
import type { AttentionSpec } from './attention.js';
import type { LayerCost } from './contract.js';
import type { ConvNormSpec } from './layers.js';
import type { NetworkSpec } from './spec.js';

type Size = readonly [height: number, width: number];

/**
 * One row per layer, for one image of `size` pixels. A multiply-add counts as 2 operations; a norm costs 2 per value
 * (one scale, one shift, once its statistics are known), additions of shortcuts, activations, pooling and the products of
 * attention are not counted.
 */
export function costs(spec: NetworkSpec, size: Size): LayerCost[] {
  const rows: LayerCost[] = [];
  let here = addConvNorm(rows, spec.stem, size);
  for (const block of spec.blocks) {
    const before = here;
    here = addConvNorm(rows, block.second, addConvNorm(rows, block.first, before));
    addAttention(rows, block.attention, here);
    if (block.shortcut.kind === 'project') addConvNorm(rows, block.shortcut.spec, before);
  }
  const { features, classes } = spec;
  rows.push({
    name: 'fc',
    kind: 'dense',
    output: [classes],
    parameters: features * classes + classes,
    flops: 2 * features * classes,
  });
  return rows;
}

function addConvNorm(rows: LayerCost[], { conv, norm }: ConvNormSpec, [height, width]: Size): Size {
  const out: Size = [Math.ceil(height / conv.stride), Math.ceil(width / conv.stride)];
  const pixels = out[0] * out[1];
  const weights = conv.side ** 2 * conv.inputs * conv.outputs;
  const output = [...out, conv.outputs];
  rows.push({
    name: conv.name,
    kind: 'conv',
    output,
    parameters: weights + (conv.bias ? conv.outputs : 0),
    flops: 2 * weights * pixels,
  });
  if (norm) rows.push({ name: norm, kind: 'norm', output, parameters: 2 * conv.outputs, flops: 2 * conv.outputs * pixels });
  return out;
}

/** Channel attention sees single pixels: the pooled maps, of which CBAM has two. */
function addAttention(rows: LayerCost[], attention: AttentionSpec, size: Size): void {
  if (attention.kind === 'none') return;
  const vectors = attention.kind === 'cbam' ? 2 : 1;
  for (const conv of [attention.fc1, attention.fc2]) {
    const here: LayerCost[] = [];
    addConvNorm(here, { conv, norm: undefined }, [1, 1]);
    rows.push(...here.map((row) => ({ ...row, flops: vectors * row.flops })));
  }
  if (attention.kind === 'cbam') addConvNorm(rows, { conv: attention.spatial, norm: undefined }, size);
}

export interface Totals {
  readonly parameters: number;
  readonly flops: number;
}

export const totals = (layers: readonly LayerCost[]): Totals => ({
  parameters: layers.reduce((sum, l) => sum + l.parameters, 0),
  flops: layers.reduce((sum, l) => sum + l.flops, 0),
});
