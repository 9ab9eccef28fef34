// The compiled engine: tfjs functions traced into TensorFlow graphs that share one session's variables.
import type { Variable } from '@tensorflow/tfjs-core';
import { environmentError } from '../errors.js';
import { type CApi, DTYPE, type Pointer } from '../runtime/capi.js';
import { viewOf } from '../runtime/tensor.js';
import { CompiledFunction, type Executable, type Host } from './compiled.js';
import type { Compiled, HostDType, JitOptions, Session, SessionOptions, StepFunction, Tensors } from './contract.js';
import { appendCall } from './function.js';
import type { Graph, Value } from './graph.js';
import { inline } from './inline.js';
import { isStaged, NativeSession, type RunPlan } from './native-session.js';
import type { StagedPlan } from './staged-run.js';
import { type InputSpec, trace } from './trace.js';
import { VariableStore } from './variables.js';

const DEFAULT_DEVICE = '/device:CPU:0';
const HOST_TYPES: Readonly<Record<number, HostDType>> = {
  [DTYPE.float32]: 'float32',
  [DTYPE.int32]: 'int32',
  [DTYPE.bool]: 'bool',
  [DTYPE.uint8]: 'uint8',
};

/** Session of the compiled engine; see `Session` for the contract. */
export class TensorFlowSession implements Session, Host {
  readonly engine = 'tensorflow';
  readonly device: string;
  readonly c: CApi;
  readonly #options: SessionOptions;
  readonly #session: NativeSession;
  readonly #variables: VariableStore;
  readonly #functions = new Set<Compiled>();
  readonly #warn: (line: string) => void;
  #functionCount = 0;
  #busy = false;
  #loans = 0;
  #closed = false;

  constructor(
    c: CApi,
    options: SessionOptions = {},
    warn: (line: string) => void = (line) => process.emitWarning(line, 'JitWarning'),
  ) {
    this.c = c;
    this.device = options.device ?? DEFAULT_DEVICE;
    this.#options = { ...options, device: this.device };
    this.#session = new NativeSession(c, this.#options);
    this.#assertDevice();
    this.#variables = new VariableStore(c, this.#session);
    this.#warn = warn;
  }

  adopt(variables: readonly Variable[]): void {
    this.assertFree('adopt');
    this.#variables.adopt(variables);
  }

  jit<I extends Tensors, O extends Tensors>(fn: StepFunction<I, O>, options: JitOptions = {}): Compiled<O> {
    this.assertFree('jit');
    const name = options.name ?? (fn.name || 'step');
    const compiled = new CompiledFunction<O>(this, fn as unknown as StepFunction, { ...options, name });
    this.#functions.add(compiled);
    return compiled;
  }

  read(variables: readonly Variable[], into?: readonly (Float32Array | Int32Array)[]): (Float32Array | Int32Array)[] {
    this.assertFree('read');
    return this.#variables.read(variables, into);
  }

  write(variables: readonly Variable[], values: readonly (Float32Array | Int32Array)[]): void {
    this.assertFree('write');
    this.#variables.write(variables, values);
  }

  close(): void {
    if (this.#closed) return;
    this.assertIdle('the session cannot be closed');
    if (this.#loans > 0) throw new Error('the session cannot be closed: results are lent out; await their use first');
    for (const fn of this.#functions) fn.dispose();
    this.#session.close();
    this.#closed = true;
  }

  compile(fn: StepFunction, inputs: readonly InputSpec[], options: JitOptions & { name: string }): Executable {
    this.assertFree(options.name);
    const xla = options.xla ?? this.device.includes('GPU');
    const traced = trace(this.c, fn, inputs, {
      name: options.name,
      precision: options.precision ?? 'fp32',
      lower: !xla && !this.device.includes('GPU'),
      variables: this.#variables.all,
      onNewVariable: (variable, initial) => this.#variables.adoptWith([variable], [initial]),
      evaluate: (graph, value) => this.#evaluate(graph, value),
      warn: this.#warn,
      exchanges: options.onExchange !== undefined,
    });
    try {
      const name = `${options.name.replace(/\W/g, '_')}_${this.#functionCount++}`;
      const handles = traced.variables.map(({ variable }) => this.#variables.handle(variable));
      const outputs = traced.outputs.map(
        ({ name, value }): InputSpec => ({ name, dtype: hostType(name, value), shape: value.shape }),
      );
      const { onExchange } = options;
      if (traced.exchanges.length > 0 && onExchange)
        return { outputs, plan: inline(this.c, this.#session.graph, traced, { name, handles, onExchange }) };
      const call = appendCall(this.c, this.#session.graph, traced, { name, xla, handles });
      const fetches = outputs.map((_, index) => ({ oper: call.operation, index }));
      return { outputs, plan: { feeds: call.feeds.map((f) => f.out), fetches, targets: [call.operation] } };
    } finally {
      traced.graph.delete();
    }
  }

  run(plan: RunPlan | StagedPlan, fed: readonly Pointer[], what: string): Pointer[] {
    this.assertFree(what);
    // The host has its word in the middle of a staged run, which is no time for other calls.
    this.#busy = isStaged(plan);
    try {
      return this.#session.run(plan, fed, what);
    } finally {
      this.#busy = false;
    }
  }

  async runAsync(plan: RunPlan | StagedPlan, fed: readonly Pointer[], what: string): Promise<Pointer[]> {
    this.assertFree(what);
    this.#busy = true;
    try {
      return await this.#session.runAsync(plan, fed, what);
    } finally {
      this.#busy = false;
    }
  }

  async whileLent<T>(use: () => T | Promise<T>): Promise<T> {
    this.#loans++;
    try {
      return await use();
    } finally {
      this.#loans--;
    }
  }

  /** Computes a value of a graph under construction, in a session of its own that lives no longer than this call. */
  #evaluate(graph: Graph, value: Value): Float32Array | Int32Array {
    const session = new NativeSession(this.c, { intraOpThreads: 1, graph });
    try {
      const [tensor] = session.run({ feeds: [], fetches: [value.out], targets: [] }, [], 'first value of a variable');
      try {
        const { buffer, byteOffset, byteLength } = viewOf(this.c, tensor!).slice();
        return value.dtype === DTYPE.float32
          ? new Float32Array(buffer, byteOffset, byteLength / 4)
          : new Int32Array(buffer, byteOffset, byteLength / 4);
      } finally {
        this.c.TF_DeleteTensor(tensor);
      }
    } finally {
      session.close(true);
    }
  }

  assertFree(what: string): void {
    if (this.#closed) throw new Error(`${what}: the session is closed`);
    this.assertIdle(what);
  }

  /** The session would quietly compute elsewhere. */
  #assertDevice(): void {
    const found = this.#session.devices().map((name) => name.slice(name.indexOf('/device:')));
    if (found.includes(this.device)) return;
    this.#session.close();
    throw environmentError(`this machine has no ${this.device}; TensorFlow finds ${found.join(', ')}`);
  }

  released(fn: Compiled): void {
    this.#functions.delete(fn);
  }

  assertIdle(what: string): void {
    if (this.#busy) throw new Error(`${what}: the session is busy with an asynchronous run; await it first`);
  }
}

function hostType(name: string, value: Value): HostDType {
  const type = HOST_TYPES[value.dtype];
  if (!type) throw new Error(`result ${name} has TensorFlow type ${value.dtype}, which cannot cross to JavaScript; cast it`);
  return type;
}
