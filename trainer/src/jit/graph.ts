// A TF_Graph under construction: operations are appended, TensorFlow's shape inference answers with shapes and types.
import { type CApi, int64s, type Pointer, type TfOutput } from '../runtime/capi.js';
import { NativeTensor } from '../runtime/tensor.js';
import { type Attribute, attribute, KIND, setAttribute } from './attributes.js';

/** One value of a graph: which operation's which output, with its type and static shape. */
export interface Value {
  readonly id: number;
  readonly op: string;
  readonly out: TfOutput;
  readonly dtype: number;
  readonly shape: readonly number[];
  /** The values it was computed from. */
  readonly inputs: readonly Value[];
}

/** Ops whose inputs are one list, followed by so many single inputs. tfjs passes them flat, with the list's length as `N`. */
const SINGLES_AFTER_LIST: Readonly<Record<string, number>> = {
  AddN: 0,
  Pack: 0,
  ConcatV2: 1,
  Einsum: 0,
  IdentityN: 0,
  StatefulPartitionedCall: 0,
};

/** Ops with a workspace among their outputs, whose shape nobody needs to know. */
const OPAQUE_OUTPUTS = new Set(['FusedBatchNormV3']);

const dynamicShape = (op: string): string =>
  `op ${op}: the shape of its result depends on data, which a compiled function cannot have; use masks or a fixed size instead`;

export interface OperationOptions {
  readonly name?: string;
  /** Operations that must have run before. */
  readonly control?: readonly Pointer[];
}

let nextValueId = 1;

/** Owns one TF_Graph; `delete` frees it. */
export class Graph {
  readonly c: CApi;
  readonly device: string | undefined;
  #handle: Pointer | undefined;
  #operations = 0;

  constructor(c: CApi, device?: string) {
    this.c = c;
    this.device = device;
    this.#handle = c.TF_NewGraph() as Pointer;
  }

  get handle(): Pointer {
    if (this.#handle === undefined) throw new Error('this graph was deleted');
    return this.#handle;
  }

  /** Number of operations appended so far. */
  get operations(): number {
    return this.#operations;
  }

  /**
   * Appends an operation and returns its handle.
   * @throws Error that names the op, where TensorFlow does not know it or refuses its inputs.
   */
  operation(
    type: string,
    inputs: readonly TfOutput[],
    attributes: readonly Attribute[],
    options: OperationOptions = {},
  ): Pointer {
    const { c } = this;
    const description = c.TF_NewOperation(this.handle, type, options.name ?? `${type}_${this.#operations++}`) as Pointer;
    if (this.device) c.TF_SetDevice(description, this.device);
    const singles = SINGLES_AFTER_LIST[type];
    const listed = singles === undefined ? 0 : inputs.length - singles;
    if (singles !== undefined) c.TF_AddInputList(description, inputs.slice(0, listed), listed);
    for (const input of inputs.slice(listed)) c.TF_AddInput(description, input);
    for (const before of options.control ?? []) c.TF_AddControlInput(description, before);
    // A list's length is inferred; naming it again is refused.
    for (const a of attributes) if (!(a.name === 'N' && singles !== undefined)) setAttribute(c, description, a);
    return c.check(`op ${type}`, (status) => c.TF_FinishOperation(description, status)) as Pointer;
  }

  /** Output `index` of an operation as a value. `shape` overrides what inference found. */
  value(
    op: string,
    operation: Pointer,
    options: { index?: number; shape?: readonly number[]; inputs?: readonly Value[] } = {},
  ): Value {
    const out: TfOutput = { oper: operation, index: options.index ?? 0 };
    const dtype = this.c.TF_OperationOutputType(out) as number;
    if (options.shape) this.#setShape(op, out, options.shape);
    const shape = options.shape ?? this.#inferredShape(op, out);
    return { id: nextValueId++, op, out, dtype, shape, inputs: options.inputs ?? [] };
  }

  /** Appends an op with one output. */
  apply(type: string, inputs: readonly Value[], attributes: readonly Attribute[], options?: OperationOptions): Value {
    const outs = inputs.map((v) => v.out);
    return this.value(type, this.operation(type, outs, attributes, options), { inputs });
  }

  constant(dtype: number, shape: readonly number[], values: ArrayBufferView): Value {
    const tensor = NativeTensor.from(this.c, dtype, shape, values);
    try {
      return this.apply(
        'Const',
        [],
        [attribute('dtype', 'type', dtype), { name: 'value', type: KIND.tensor, value: tensor.pointer }],
      );
    } finally {
      tensor.delete();
    }
  }

  /** The value as an op of its own. */
  identity(value: Value): Value {
    return this.apply('Identity', [value], [attribute('T', 'type', value.dtype)]);
  }

  placeholder(dtype: number, shape: readonly number[]): Value {
    return this.apply('Placeholder', [], [attribute('dtype', 'type', dtype), attribute('shape', 'shape', shape)]);
  }

  cast(value: Value, dtype: number): Value {
    if (value.dtype === dtype) return value;
    const types = [
      attribute('SrcT', 'type', value.dtype),
      attribute('DstT', 'type', dtype),
      attribute('Truncate', 'bool', false),
    ];
    return this.apply('Cast', [value], types);
  }

  delete(): void {
    if (this.#handle !== undefined) this.c.TF_DeleteGraph(this.#handle);
    this.#handle = undefined;
  }

  #setShape(op: string, out: TfOutput, shape: readonly number[]): void {
    const { c } = this;
    c.check(`shape of ${op}`, (s) => c.TF_GraphSetTensorShape(this.handle, out, int64s(shape), shape.length, s));
  }

  #inferredShape(op: string, out: TfOutput): number[] {
    const { c } = this;
    const rank = c.check(`shape of ${op}`, (s) => c.TF_GraphGetTensorNumDims(this.handle, out, s)) as number;
    if (rank < 0 && !OPAQUE_OUTPUTS.has(op)) throw new Error(dynamicShape(op));
    if (rank <= 0) return [];
    const dims = new BigInt64Array(rank);
    c.check(`shape of ${op}`, (s) => c.TF_GraphGetTensorShape(this.handle, out, dims, rank, s));
    const shape = Array.from(dims, Number);
    if (shape.includes(-1)) throw new Error(dynamicShape(op));
    return shape;
  }
}
