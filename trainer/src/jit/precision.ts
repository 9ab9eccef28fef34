// Mixed precision while tracing: which ops run in bfloat16, and the casts around them. tfjs sees float32 throughout.
//
// Convolutions are lowered; batch norm (whose statistics stay float32 by the kernel's own design), ReLU,
// padding and addition follow their inputs, so that activations stay in bfloat16 from one convolution to the next. All else,
// the last layer's matrix product, the loss and the updates of the float32 master weights among it, is float32.
import { DTYPE } from '../runtime/capi.js';
import type { Attribute } from './attributes.js';
import type { Graph, Value } from './graph.js';

const { float32: FLOAT, bfloat16: BF16 } = DTYPE;

/** Which inputs of an op are to be bfloat16, by position. */
const ALWAYS_LOW: Readonly<Record<string, readonly boolean[]>> = {
  Conv2D: [true, true],
  Conv2DBackpropInput: [false, true, true],
  Conv2DBackpropFilter: [true, false, true],
};

/** Ops that take bfloat16 when this input already is, and the inputs that then are. */
const FOLLOWS: Readonly<Record<string, { readonly leader: number; readonly low: readonly boolean[] }>> = {
  FusedBatchNormV3: { leader: 0, low: [true] },
  FusedBatchNormGradV3: { leader: 1, low: [true, true] },
};

/** Ops that take bfloat16 when any input is. */
const JOINS = new Set(['Relu', 'ReluGrad', 'Add', 'AddV2']);
/** Ops that keep the type of their first input and never compute with it. */
const MOVES = new Set(['Pad', 'PadV2', 'Slice', 'StridedSlice', 'Reshape', 'Transpose', 'MaxPool']);

function lowInputs(op: string, inputs: readonly Value[]): readonly boolean[] | undefined {
  const isLow = (v: Value | undefined): boolean => v?.dtype === BF16;
  if (ALWAYS_LOW[op]) return ALWAYS_LOW[op];
  const follows = FOLLOWS[op];
  if (follows) return isLow(inputs[follows.leader]) ? follows.low : undefined;
  if (JOINS.has(op)) return inputs.some(isLow) ? inputs.map(() => true) : undefined;
  if (op === 'PadV2') return isLow(inputs[0]) ? [true, false, true] : undefined;
  if (MOVES.has(op)) return isLow(inputs[0]) ? [true] : undefined;
  return undefined;
}

export interface Lowered {
  readonly inputs: readonly Value[];
  readonly attributes: readonly Attribute[];
}

/** Decides the precision of each op as it is appended; one per graph, so that a value is cast once however often it is used. */
export class Autocast {
  readonly #graph: Graph;
  readonly #low: boolean;
  readonly #casts = new Map<string, Value>();

  constructor(graph: Graph, low: boolean) {
    this.#graph = graph;
    this.#low = low;
  }

  /** The op's inputs cast as needed, and its attributes with the type it runs in. */
  apply(op: string, inputs: readonly Value[], attributes: readonly Attribute[]): Lowered {
    if (!this.#low) return { inputs, attributes };
    const type = attributes.find((a) => a.name === 'T');
    const low = type?.value === FLOAT ? lowInputs(op, inputs) : undefined;
    const cast = inputs.map((v, i) => {
      if (low?.[i]) return this.to(v, BF16);
      return v.dtype === BF16 ? this.to(v, FLOAT) : v;
    });
    return { inputs: cast, attributes: low ? attributes.map((a) => (a === type ? { ...a, value: BF16 } : a)) : attributes };
  }

  to(value: Value, dtype: number): Value {
    if (value.dtype === dtype) return value;
    const key = `${value.id}>${dtype}`;
    let cast = this.#casts.get(key);
    if (!cast) {
      cast = this.#graph.cast(value, dtype);
      this.#casts.set(key, cast);
    }
    return cast;
  }
}
