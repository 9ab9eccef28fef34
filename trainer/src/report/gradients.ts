// gradients.npz: the norms of the loss gradient, layers x steps, of each model; NaN where a step has none.
// Members: `<model>` float32 [layers, steps], `<model>_layers` their names, `<model>_steps` int32 [steps].
import { type MetricRecord, SIDES, type Side } from '@trainer/protocol';
import type { NpyArray } from './npz.js';

const PREFIX = 'grad_norm/';

/** Collects `grad_norm/<layer>` records and lays them out; other records are passed over. */
export class GradientTable {
  private readonly sides = new Map<Side, { layers: Map<string, number>; steps: Map<number, Map<number, number>> }>(
    SIDES.map((side) => [side, { layers: new Map(), steps: new Map() }]),
  );

  add(record: MetricRecord): void {
    if (record.model === 'gap' || !record.name.startsWith(PREFIX)) return;
    const { layers, steps } = this.sides.get(record.model)!;
    const layer = record.name.slice(PREFIX.length);
    if (!layers.has(layer)) layers.set(layer, layers.size);
    let column = steps.get(record.step);
    if (column === undefined) {
      column = new Map();
      steps.set(record.step, column);
    }
    column.set(layers.get(layer)!, record.value);
  }

  /** Layers in the order of their first record; no members for a model without any. */
  arrays(): Record<string, NpyArray> {
    const arrays: Record<string, NpyArray> = {};
    for (const [side, { layers, steps }] of this.sides) {
      if (layers.size === 0) continue;
      const order = [...steps.keys()].sort((a, b) => a - b);
      const data = new Float32Array(layers.size * order.length).fill(Number.NaN);
      order.forEach((step, at) => {
        for (const [layer, value] of steps.get(step)!) data[layer * order.length + at] = value;
      });
      arrays[side] = { shape: [layers.size, order.length], data };
      arrays[`${side}_layers`] = { texts: [...layers.keys()] };
      arrays[`${side}_steps`] = { shape: [order.length], data: Int32Array.from(order) };
    }
    return arrays;
  }
}
