// Running a step function symbolically: its ops, autodiff and optimizer included, end up in one graph.
import * as tf from '@tensorflow/tfjs-core';
import { type CApi, DTYPE } from '../runtime/capi.js';
import { type Attribute, attribute } from './attributes.js';
import { type OutputInfo, type TraceListener, tracingBackend } from './backend.js';
import type { HostDType, Precision, StepFunction, Tensors } from './contract.js';
import { Graph, type Value } from './graph.js';
import { HOST_EXCHANGE } from './host-exchange.js';
import { lowered } from './lowering.js';
import { Autocast } from './precision.js';

export interface InputSpec {
  readonly name: string;
  readonly dtype: HostDType;
  readonly shape: readonly number[];
}

/** A session variable as one trace sees it. */
interface TracedVariable {
  readonly variable: tf.Variable;
  /** The resource handle: an argument of the function. */
  readonly handle: Value;
  /** Its value at the start of the step. */
  readonly read: Value;
}

/** A session variable during a trace; `traced` once the function has used it. */
interface BoundVariable {
  readonly variable: tf.Variable;
  /** The id of its real data, given back after the trace. */
  readonly outside: object;
  /** The id of the data that stands for its value at the start of the step. */
  readonly symbol: object;
  /** The session holds it already. */
  readonly owned: boolean;
  traced?: TracedVariable;
}

/** What a trace yields: a graph whose arguments are the inputs, then the handles of the variables it uses. */
export interface Traced {
  readonly graph: Graph;
  readonly inputs: readonly Value[];
  readonly variables: readonly TracedVariable[];
  readonly outputs: readonly { readonly name: string; readonly value: Value }[];
  /** The new value of each variable that the function assigned. */
  readonly assigned: readonly { readonly variable: TracedVariable; readonly value: Value }[];
  /** Values that the host replaces in the middle of a run, and the placeholders of what it puts there; in order. */
  readonly exchanges: readonly { readonly sent: Value; readonly received: Value }[];
}

export interface TraceOptions {
  readonly name: string;
  readonly precision: Precision;
  /** The CPU runs the graph op by op: ops take the form that is fastest there. */
  readonly lower?: boolean;
  /** Variables that the session holds already. */
  readonly variables: readonly tf.Variable[];
  /** Variables that the function makes (an optimizer's, say), or uses without their having been adopted, with their first value. */
  readonly onNewVariable: (variable: tf.Variable, initial: Float32Array | Int32Array) => void;
  /** Computes a value of the graph that depends on no input. */
  readonly evaluate: (graph: Graph, value: Value) => Float32Array | Int32Array;
  readonly warn: (line: string) => void;
  /** The host takes part in runs, so the function may use `hostExchange`. */
  readonly exchanges?: boolean;
}

const TYPES: Readonly<Record<HostDType, number>> = {
  float32: DTYPE.float32,
  int32: DTYPE.int32,
  uint8: DTYPE.uint8,
  bool: DTYPE.bool,
};
const VARIABLE_TYPES: Readonly<Record<string, number>> = { float32: DTYPE.float32, int32: DTYPE.int32, bool: DTYPE.bool };
const LARGE_CONSTANT_BYTES = 1 << 20;
const SMALL_CONSTANT_BYTES = 1 << 10;
const UNNAMED_SCOPE = 'unnamed scope';
const RANDOM_OPS = new Set([
  'randomNormal',
  'randomUniform',
  'randomUniformInt',
  'randomStandardNormal',
  'randomGamma',
  'truncatedNormal',
  'dropout',
  'rand',
]);
const RANDOM_KERNELS = new Set(['Multinomial']);

/** Values of variables are numbered downwards, apart from those that ops yield. */
let nextReadId = -1;

export const dtypeNumber = (dtype: HostDType): number => TYPES[dtype];
export const variableType = (variable: tf.Variable): number => {
  const type = VARIABLE_TYPES[variable.dtype];
  if (type === undefined)
    throw new Error(`variable ${variable.name} has type ${variable.dtype}; a session holds float32, int32 and bool`);
  return type;
};

/**
 * Runs `fn` once on symbols and returns the graph it built; the caller owns it. On an error nothing is left behind, and
 * every variable has the value it had.
 * @throws Error that names the op: values made outside, data read inside, JavaScript's randomness, ops TensorFlow lacks.
 */
export function trace(c: CApi, fn: StepFunction, inputs: readonly InputSpec[], options: TraceOptions): Traced {
  const backend = tracingBackend();
  if (backend.tracing)
    throw new Error(`${options.name}: a compiled function cannot be called inside another one's trace; call the plain function`);
  const recorder = new Recorder(c, options);
  const previous = tf.getBackend();
  tf.setBackend('tensorflow');
  backend.attach(recorder);
  const restore = recorder.watchVariables();
  tf.engine().startScope(options.name);
  try {
    return recorder.record(fn, inputs);
  } catch (error) {
    recorder.graph.delete();
    throw error;
  } finally {
    recorder.restoreVariables();
    tf.engine().endScope();
    restore();
    backend.attach(undefined);
    tf.setBackend(previous);
  }
}

/** The binding of one trace: appends what kernels ask for to a graph. */
class Recorder implements TraceListener {
  readonly graph: Graph;
  readonly #autocast: Autocast;
  readonly #options: TraceOptions;
  readonly #values = new Map<number, Value>();
  /** The session's variables by the number under which the function knows their value. */
  readonly #variables = new Map<number, BoundVariable>();
  readonly #bound = new Set<tf.Variable>();
  readonly #exchanges: Traced['exchanges'][number][] = [];

  constructor(c: CApi, options: TraceOptions) {
    this.graph = new Graph(c);
    this.#autocast = new Autocast(this.graph, options.precision === 'bf16');
    this.#options = options;
  }

  record(fn: StepFunction, specs: readonly InputSpec[]): Traced {
    const inputs = specs.map((spec) => this.graph.placeholder(TYPES[spec.dtype], spec.shape));
    for (const variable of this.#options.variables) this.#bind(variable, variable.dataId, true);
    const others = Object.values(tf.engine().registeredVariables).filter((v) => v.dtype in VARIABLE_TYPES);
    for (const variable of others) this.#bind(variable, variable.dataId, false);
    const symbols = Object.fromEntries(specs.map((spec, i) => [spec.name, this.#inputSymbol(inputs[i]!)]));
    const results = this.#checkResults(fn(symbols));
    const outputs = Object.entries(results).map(([name, tensor]) => ({ name, value: this.#final(this.#valueOf(tensor, name)) }));
    const assigned = [...this.#variables.values()].flatMap((bound) => {
      if (bound.variable.dataId === bound.symbol) return [];
      const value = this.#valueOf(bound.variable, bound.variable.name);
      const variable = this.#traced(bound);
      return value === variable.read ? [] : [{ variable, value: this.#ownMemory(this.#final(value)) }];
    });
    return {
      graph: this.graph,
      inputs,
      variables: this.#used(outputs, assigned),
      outputs,
      assigned,
      exchanges: this.#exchanges,
    };
  }

  /** Gives every variable back the value (and the backend) it had before the trace. */
  restoreVariables(): void {
    for (const { variable, outside } of this.#variables.values()) {
      releaseData(variable.dataId);
      variable.dataId = outside;
    }
  }

  /** Adopts variables as the function makes them; returns how to stop. */
  watchVariables(): () => void {
    const engine = engineInternals();
    const original = engine.makeVariable;
    engine.makeVariable = (...args) => {
      const variable = original.apply(engine, args);
      try {
        this.#adopt(variable);
      } catch (error) {
        variable.dispose();
        throw error;
      }
      return variable;
    };
    return () => {
      engine.makeVariable = original;
    };
  }

  createTensor(shape: number[], dtype: number, values: ArrayBufferView | number[]): number {
    const typed = typedValues(dtype, values);
    return this.#remember(this.#uniform(dtype, shape, typed) ?? this.graph.constant(dtype, shape, typed)).id;
  }

  deleteTensor(id: number): void {
    this.#values.delete(id);
  }

  tensorDataSync(id: number): never {
    const what = this.#variables.has(id)
      ? `variable ${this.#variables.get(id)!.variable.name}`
      : `the result of op ${this.#values.get(id)?.op ?? '?'}`;
    throw new Error(
      `${this.#options.name}: ${what} was read inside the traced function, where it has no value yet; return it as an output instead`,
    );
  }

  executeOp(name: string, attributes: Attribute[], ids: number[], outputs: number): OutputInfo[] {
    if (RANDOM_KERNELS.has(name)) throw new Error(this.#frozenRandomness(name));
    const inputs = ids.map((id) => this.#find(id, name));
    if (name === HOST_EXCHANGE) return [infoOf(this.#remember(this.#exchange(inputs[0]!)))];
    const shaped = this.#constantShape(name, inputs);
    if (shaped) return [infoOf(this.#remember(shaped))];
    const typed = this.#autocast.apply(name, inputs, attributes);
    const operation = this.graph.operation(
      name,
      typed.inputs.map((v) => v.out),
      typed.attributes,
    );
    return Array.from({ length: outputs }, (_, index) => {
      const value = this.graph.value(name, operation, { index, inputs: typed.inputs });
      return infoOf(this.#remember(this.#options.lower ? lowered(this.graph, value, typed.attributes) : value));
    });
  }

  onConstant(values: ArrayBufferView | number[], scopes: readonly string[]): void {
    const random = scopes.find((scope) => RANDOM_OPS.has(scope));
    if (random) throw new Error(this.#frozenRandomness(random));
    if (isUniform(values)) return;
    const bytes = ArrayBuffer.isView(values) ? values.byteLength : (values?.length ?? 0) * 4;
    if (bytes > LARGE_CONSTANT_BYTES) {
      const where = scopes.findLast((scope) => scope !== UNNAMED_SCOPE) ?? 'constant';
      this.#options.warn(
        `${this.#options.name}: op ${where} bakes ${(bytes / 2 ** 20).toFixed(1)} MB into the graph; pass it as an input or keep it in a variable`,
      );
    }
  }

  /** A single number is what optimizers keep their settings in, and cannot change: it becomes a constant. */
  constantFor(tensor: tf.TensorInfo): tf.TensorInfo | undefined {
    const isHeld = engineInternals().state.tensorInfo.has(tensor.dataId);
    if (!isHeld || tensor.shape.length > 0) return undefined;
    return tf.tensor(tf.engine().readSync(tensor.dataId) as Float32Array, [], tensor.dtype as tf.NumericDataType);
  }

  onForeign(op: string, tensor: tf.TensorInfo): never {
    throw new Error(
      `${this.#options.name}: op ${op} uses a tensor of shape [${tensor.shape}] that was made outside the traced function (or disposed): pass it as an input, or let the session adopt it as a variable`,
    );
  }

  #frozenRandomness(op: string): string {
    return `${this.#options.name}: op ${op} draws random numbers in JavaScript, which the trace would freeze; use the stateless random ops with a seed given as an input`;
  }

  /** A placeholder cuts the graph in two: what comes before it is sent to the host, which feeds it. */
  #exchange(input: Value): Value {
    if (!this.#options.exchanges)
      throw new Error(`${this.#options.name}: hostExchange needs a host to exchange with: give jit an onExchange`);
    if (infoOf(input).dtype !== DTYPE.float32) throw new Error(`${this.#options.name}: hostExchange takes float32 only; cast it`);
    const sent = this.graph.identity(this.#final(input));
    const received = { ...this.graph.placeholder(DTYPE.float32, sent.shape), inputs: [sent] };
    this.#exchanges.push({ sent, received });
    return received;
  }

  /** Shapes are static, so these need no input: folded here, values that depend on no input stay recognizable. */
  #constantShape(name: string, inputs: readonly Value[]): Value | undefined {
    const input = inputs[0];
    if (
      (name !== 'ZerosLike' && name !== 'OnesLike') ||
      !input ||
      (input.dtype !== DTYPE.float32 && input.dtype !== DTYPE.bfloat16)
    )
      return undefined;
    return this.#fill(DTYPE.float32, input.shape, Float32Array.of(name === 'OnesLike' ? 1 : 0));
  }

  /** tfjs gradients make whole tensors of ones: one number and a shape say the same. */
  #uniform(dtype: number, shape: readonly number[], values: ArrayBufferView): Value | undefined {
    if (values.byteLength < SMALL_CONSTANT_BYTES || dtype === DTYPE.bool || !isUniform(values)) return undefined;
    const first = (values as Float32Array).slice(0, 1);
    return this.#fill(dtype, shape, first);
  }

  #fill(dtype: number, shape: readonly number[], value: ArrayBufferView): Value {
    const dims = this.graph.constant(DTYPE.int32, [shape.length], Int32Array.from(shape));
    const types = [attribute('T', 'type', dtype), attribute('index_type', 'type', DTYPE.int32)];
    return this.graph.apply('Fill', [dims, this.graph.constant(dtype, [], value)], types);
  }

  /** Replaces the variable's value by a symbol for as long as the trace runs. */
  #bind(variable: tf.Variable, outside: object, owned: boolean): void {
    if (variable.isDisposed || this.#bound.has(variable)) return;
    this.#bound.add(variable);
    const info = { id: nextReadId--, dtype: variableType(variable), shape: [...variable.shape] };
    const { dataId } = tracingBackend().createOutputTensor(info);
    // `assign` would drop the variable's hold on its real value; the data id is swapped underneath it instead.
    tracingBackend().incRef(dataId);
    variable.dataId = dataId;
    this.#variables.set(info.id, { variable, outside, owned, symbol: dataId });
  }

  /** The variable's handle and value in this graph, made when the function first uses it: a session may hold many others. */
  #traced(bound: BoundVariable): TracedVariable {
    if (bound.traced) return bound.traced;
    const { variable } = bound;
    if (!bound.owned) this.#options.onNewVariable(variable, tf.engine().readSync(bound.outside) as Float32Array | Int32Array);
    const handle = this.graph.apply(
      'Placeholder',
      [],
      [attribute('dtype', 'type', DTYPE.resource), attribute('shape', 'shape', [])],
    );
    const operation = this.graph.operation('ReadVariableOp', [handle.out], [attribute('dtype', 'type', variableType(variable))]);
    const read = this.#remember(this.graph.value('ReadVariableOp', operation, { shape: variable.shape }));
    bound.traced = { variable, handle, read };
    return bound.traced;
  }

  #adopt(variable: tf.Variable): void {
    const value = this.#valueOf(variable, variable.name);
    let initial: Float32Array | Int32Array;
    try {
      initial = this.#options.evaluate(this.graph, value);
    } catch (cause) {
      throw new Error(
        `${this.#options.name}: variable ${variable.name} is made inside the function from a value that depends on its inputs; make it outside`,
        { cause },
      );
    }
    this.#options.onNewVariable(variable, initial);
    releaseData(variable.dataId);
    this.#bind(variable, hostData(initial, variable), true);
  }

  #inputSymbol(placeholder: Value): tf.Tensor {
    const seen = placeholder.dtype === DTYPE.uint8 ? this.graph.cast(placeholder, DTYPE.int32) : placeholder;
    return this.#symbol(this.#remember(seen));
  }

  #symbol(value: Value): tf.Tensor {
    return tracingBackend().createOutputTensor(infoOf(value));
  }

  #checkResults(results: Tensors): Tensors {
    for (const [name, tensor] of Object.entries(results)) {
      if (!(tensor instanceof tf.Tensor)) throw new Error(`${this.#options.name}: result ${name} is not a tensor`);
    }
    return results;
  }

  #valueOf(tensor: tf.Tensor, what: string): Value {
    const [id] = tracingBackend().getInputTensorIds([tensor]);
    return this.#find(id!, what);
  }

  #find(id: number, op: string): Value {
    const bound = this.#variables.get(id);
    const value = bound ? this.#traced(bound).read : this.#values.get(id);
    if (!value) throw new Error(`${this.#options.name}: op ${op} uses a value that was made in another trace, or was disposed`);
    return value;
  }

  #remember(value: Value): Value {
    this.#values.set(value.id, value);
    return value;
  }

  #final(value: Value): Value {
    return value.dtype === DTYPE.bfloat16 ? this.#autocast.to(value, DTYPE.float32) : value;
  }

  /** A variable must not share memory with what is fed: the next step overwrites that. */
  #ownMemory(value: Value): Value {
    let source = value;
    while (SHARES_MEMORY.has(source.op)) source = source.inputs[0]!;
    return source.op === 'Placeholder' ? this.graph.apply('DeepCopy', [value], [attribute('T', 'type', value.dtype)]) : value;
  }

  /** Variables that the results depend on; the others' handles need not be passed at each call. */
  #used(outputs: Traced['outputs'], assigned: Traced['assigned']): TracedVariable[] {
    const seen = new Set<number>();
    const open = [...outputs.map((o) => o.value), ...assigned.map((a) => a.value), ...this.#exchanges.map((e) => e.sent)];
    while (open.length > 0) {
      const value = open.pop()!;
      if (seen.has(value.id)) continue;
      seen.add(value.id);
      open.push(...value.inputs);
    }
    const written = new Set(assigned.map((a) => a.variable));
    const touched = [...this.#variables.values()].flatMap((v) => v.traced ?? []);
    return touched.filter((v) => written.has(v) || seen.has(v.read.id));
  }
}

const SHARES_MEMORY = new Set(['Reshape', 'Identity', 'Squeeze', 'ExpandDims']);

const infoOf = (v: Value): OutputInfo => ({
  id: v.id,
  dtype: v.dtype === DTYPE.bfloat16 ? DTYPE.float32 : v.dtype,
  shape: [...v.shape],
});

/** The parts of tfjs' engine that a trace steps around. */
interface EngineInternals {
  makeVariable: (...args: unknown[]) => tf.Variable;
  removeDataId(dataId: object, backend: tf.KernelBackend): void;
  readonly state: { readonly tensorInfo: WeakMap<object, { backend: tf.KernelBackend }> };
}
const engineInternals = (): EngineInternals => tf.engine() as unknown as EngineInternals;

/** Drops one hold on some data, as the engine does when a tensor is disposed. */
function releaseData(dataId: object): void {
  const engine = engineInternals();
  const backend = engine.state.tensorInfo.get(dataId)?.backend;
  if (backend?.disposeData(dataId)) engine.removeDataId(dataId, backend);
}

/** Values on the 'cpu' backend, held by nobody but the caller. */
function hostData(values: Float32Array | Int32Array, like: tf.Variable): object {
  const previous = tf.getBackend();
  tf.setBackend('cpu');
  const tensor = tf.tensor(values, like.shape, like.dtype);
  tf.backend().incRef(tensor.dataId);
  tf.setBackend(previous);
  tensor.dispose();
  return tensor.dataId;
}

function isUniform(values: ArrayBufferView | number[]): boolean {
  const list = values as unknown as ArrayLike<number>;
  for (let i = 1; i < list.length; i++) if (list[i] !== list[0]) return false;
  return true;
}

function typedValues(dtype: number, values: ArrayBufferView | number[]): ArrayBufferView {
  if (dtype === DTYPE.bool) return Uint8Array.from(values as unknown as number[]);
  if (ArrayBuffer.isView(values))
    return dtype === DTYPE.int64 ? BigInt64Array.from(values as unknown as number[], BigInt) : values;
  return dtype === DTYPE.float32 ? Float32Array.from(values) : Int32Array.from(values);
}
