// What the models cost, as people compare them.
import type { ModelCost } from '@trainer/protocol';
import type { Model } from '../nn/contract.js';
import { totals } from '../nn/cost.js';

export function costOf({ side, title, layers }: Model): ModelCost {
  const weighted = layers.filter(({ kind }) => kind !== 'norm');
  const projections = weighted.filter(({ name }) => name.includes('.downsample.')).length;
  return { side, title, ...totals(layers), layers: weighted.length - projections, projections };
}
