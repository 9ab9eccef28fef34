// The fallback engine: step functions run eagerly on TensorFlow.js' WebAssembly backend. Slower than the compiled engine, the
// same results to rounding, and nothing needed but Node.
import * as tf from '@tensorflow/tfjs-core';
import { usageError } from '../errors.js';
import type { Compiled, JitOptions, Session, SessionOptions, StepFunction, Tensors } from '../jit/contract.js';
import { openWasmBackend } from './backend.js';
import { EagerFunction, type Host } from './eager-function.js';
import type { BackendWasm } from './heap.js';

type Values = Float32Array | Int32Array;

const DEVICE = '/device:CPU:0';

/**
 * Opens a session of the fallback engine. The backend is one for the whole thread: sessions share it and its thread count.
 * @throws TrainerError (usage) for a device other than the CPU.
 */
export async function openWasmSession(options: SessionOptions = {}): Promise<Session> {
  const device = options.device ?? DEVICE;
  if (device !== DEVICE)
    throw usageError(`the wasm engine has no device ${device}: leave the device out, or use --engine tensorflow`);
  return new WasmSession(await openWasmBackend());
}

class WasmSession implements Session, Host {
  readonly engine = 'wasm';
  readonly device = DEVICE;
  readonly backend: BackendWasm;
  readonly #variables = new Set<tf.Variable>();
  readonly #functions = new Set<Compiled>();
  #busy = false;
  #loans = 0;
  #closed = false;

  constructor(backend: BackendWasm) {
    this.backend = backend;
  }

  adopt(variables: readonly tf.Variable[]): void {
    this.assertFree('adopt');
    for (const variable of variables) {
      // Looking a tensor up in a backend's storage moves it there from any other backend.
      this.backend.dataIdMap.get(variable.dataId);
      this.#variables.add(variable);
    }
  }

  jit<I extends Tensors, O extends Tensors>(fn: StepFunction<I, O>, options: JitOptions = {}): Compiled<O> {
    this.assertFree('jit');
    const name = options.name ?? (fn.name || 'step');
    if (options.precision === 'bf16')
      throw usageError(`${name}: the wasm engine computes in fp32 only: use --precision fp32, or --engine tensorflow`);
    if (options.xla) throw usageError(`${name}: the wasm engine has no XLA: leave xla out, or use --engine tensorflow`);
    const compiled = new EagerFunction<O>(this, fn as unknown as StepFunction, { ...options, name });
    this.#functions.add(compiled);
    return compiled;
  }

  read(variables: readonly tf.Variable[], into?: readonly Values[]): Values[] {
    this.assertFree('read');
    return variables.map((variable, i) => {
      this.#assertOwn(variable);
      const values = this.backend.typedArrayFromHeap(variable);
      const target =
        into?.[i] ?? (variable.dtype === 'float32' ? new Float32Array(variable.size) : new Int32Array(variable.size));
      if (target.length !== variable.size)
        throw new Error(`variable ${variable.name} has ${variable.size} values; the memory given has room for ${target.length}`);
      target.set(values);
      return target;
    });
  }

  write(variables: readonly tf.Variable[], values: readonly Values[]): void {
    this.assertFree('write');
    variables.forEach((variable, i) => {
      this.#assertOwn(variable);
      if (values[i]?.length !== variable.size)
        throw new Error(`variable ${variable.name} has ${variable.size} values; ${values[i]?.length} were given`);
    });
    this.onBackend(() => {
      for (const [i, variable] of variables.entries()) {
        // A new tensor each time: the backend keeps filters packed for as long as their tensor lives.
        const tensor = tf.tensor(storage(variable, values[i]!), variable.shape, variable.dtype);
        variable.assign(tensor);
        tensor.dispose();
      }
    });
  }

  close(): void {
    if (this.#closed) return;
    this.assertIdle('the session cannot be closed');
    if (this.#loans > 0) throw new Error('the session cannot be closed: results are lent out; await their use first');
    for (const fn of this.#functions) fn.dispose();
    this.#variables.clear();
    this.#closed = true;
  }

  assertFree(what: string): void {
    if (this.#closed) throw new Error(`${what}: the session is closed`);
    this.assertIdle(what);
  }

  assertIdle(what: string): void {
    if (this.#busy) throw new Error(`${what}: the session is busy with an asynchronous run; await it first`);
  }

  async whileBusy<T>(work: () => Promise<T>): Promise<T> {
    this.#busy = true;
    try {
      return await work();
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

  onBackend<T>(work: () => T): T {
    const previous = tf.getBackend();
    if (previous === 'wasm') return work();
    tf.setBackend('wasm');
    try {
      return work();
    } finally {
      if (previous) tf.setBackend(previous);
    }
  }

  adoptNew<T>(work: () => T): T {
    const known = new Set(Object.keys(tf.engine().registeredVariables));
    const result = work();
    for (const [name, variable] of Object.entries(tf.engine().registeredVariables))
      if (!known.has(name)) this.#variables.add(variable);
    return result;
  }

  released(fn: Compiled): void {
    this.#functions.delete(fn);
  }

  allOrNothing<T>(work: () => T): T {
    // Copies share the variables' memory, so they cost next to nothing.
    const alive = [...this.#variables].filter((variable) => !variable.isDisposed);
    const before = alive.map((variable) => [variable, tf.clone(variable as tf.Tensor)] as const);
    try {
      return work();
    } catch (error) {
      for (const [variable, value] of before) variable.assign(value);
      throw error;
    }
  }

  #assertOwn(variable: tf.Variable): void {
    if (!this.#variables.has(variable))
      throw new Error(`variable ${variable.name} does not belong to this session: adopt it first`);
  }
}

const storage = (variable: tf.Variable, values: Values): Values | Uint8Array =>
  variable.dtype === 'bool' ? Uint8Array.from(values) : values;
