// The engine's contract: plain TensorFlow.js functions become callable steps over variables that live in a session.
// `jit/` implements it by compiling to TensorFlow graphs, `fallback/` by running the same functions eagerly on WebAssembly.
import type { Tensor, Variable } from '@tensorflow/tfjs-core';

/** Element types that cross the border between JavaScript and a session. A uint8 input reaches the function as int32. */
export type HostDType = 'float32' | 'int32' | 'uint8' | 'bool';

/** Memory that the caller owns: row-major, dense, its length the product of `shape`. Scalars have shape []. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly dtype: HostDType;
  readonly data: Float32Array | Int32Array | Uint8Array;
}

export type HostTensors = Readonly<Record<string, HostTensor>>;

/** What a host tensor is like, whatever its values. */
export type HostSpec = Pick<HostTensor, 'shape' | 'dtype'>;

/** What a step function receives and returns: one tfjs tensor per name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A plain tfjs function of named tensors. It may assign variables; it must not read data or use JavaScript's randomness. */
export type StepFunction<I extends Tensors = Tensors, O extends Tensors = Tensors> = (inputs: I) => O;

/**
 * Called in the middle of a run for each `hostExchange` of the function, with its values, which it replaces in place; `index`
 * counts the calls of a run from 0. Only `runAsync` of the compiled engine waits for a promise. The memory is the engine's and
 * must not be kept. Where it throws or rejects, the run fails with its error and no variable changes.
 */
export type OnExchange = (values: Float32Array, index: number) => void | Promise<void>;

export type Precision = 'fp32' | 'bf16';

export interface JitOptions {
  /** Shown in messages and in TensorFlow's profiles. */
  readonly name?: string;
  /** 'bf16': convolutions and the activations between them in bfloat16; master weights, statistics, loss and updates stay float32. Default 'fp32'. */
  readonly precision?: Precision;
  /** Compile with XLA. Default: on for GPUs, off for CPUs. */
  readonly xla?: boolean;
  /** Needed by functions that use `hostExchange`; these are never compiled with XLA. */
  readonly onExchange?: OnExchange;
  /** Most traces (one per set of input shapes) kept. A further one is an error, as it is nearly always an accident. Default 8. */
  readonly maxTraces?: number;
}

/**
 * A step function made callable. Inputs are read before the call returns (or the promise settles), so their memory can be
 * reused. With `into`, results are written to the caller's memory and the same objects are returned; without it, fresh
 * host tensors are made.
 *
 * @example
 * const step = session.jit(({ x }) => ({ y: tf.square(x) }));
 * const { y } = step.run({ x: { shape: [2], dtype: 'float32', data: Float32Array.of(1, 2) } });   // y.data: [1, 4]
 */
export interface Compiled<O extends Tensors = Tensors> {
  readonly name: string;
  /** Number of traces made so far: 0 before the first call. */
  readonly traces: number;
  /** Traces for these shapes without running, so that the first step is not slow. Returns milliseconds. */
  prepare(inputs: HostTensors): number;
  run(inputs: HostTensors, into?: Partial<Record<keyof O, HostTensor>>): Record<keyof O, HostTensor>;
  /** As `run`, off the JavaScript thread where the engine can. One call of a session at a time. */
  runAsync(inputs: HostTensors, into?: Partial<Record<keyof O, HostTensor>>): Promise<Record<keyof O, HostTensor>>;
  /**
   * As `runAsync`, but results are not copied: `use` is lent the engine's own memory, to read from until the promise that it
   * returns settles; then the memory is freed, and asking the tensors for their `data` throws. No array taken from them may be
   * looked at later. Meanwhile the session is free for other runs, and closing it or disposing of this function is refused.
   *
   * @example
   * await gradients.runLending(inputs, async ({ loss }) => exchange(loss.data));
   */
  runLending<T>(inputs: HostTensors, use: (results: Record<keyof O, HostTensor>) => T | Promise<T>): Promise<T>;
  /**
   * The memory that runs with inputs of these shapes are fed from, traced for them where need be: an input whose `data` lies
   * there is not copied. At first, and after a run that was given other memory for that input, its values are any. Not to be
   * written to during an asynchronous run of this function; gone with `dispose`, after which asking for `data` throws.
   *
   * @example
   * const { x } = step.memory({ x: { shape: [2], dtype: 'float32' } });
   * x.data.set([1, 2]);
   * step.run({ x });
   */
  memory<K extends string>(specs: Readonly<Record<K, HostSpec>>): Readonly<Record<K, HostTensor>>;
  /** Frees the memory it is fed from, for good; the session's variables stay. Refused during an asynchronous run. */
  dispose(): void;
}

export interface SessionOptions {
  /** `/device:CPU:0`, `/device:GPU:1`. Default the CPU. */
  readonly device?: string;
  /** Threads within one op; 0 or absent = all cores. */
  readonly intraOpThreads?: number;
  /** Ops that may run at the same time; absent = the engine's measured default. */
  readonly interOpThreads?: number;
}

/**
 * Variables and the compiled functions that share them, on one device. Variables are ordinary tfjs variables. Those given to
 * `adopt`, and those that a function makes on its first call, belong to the session: it holds their values, and `read` and
 * `write` are the way to them. `variable.dataSync()` goes on showing the value that the variable was made with.
 */
export interface Session {
  readonly engine: 'tensorflow' | 'wasm';
  readonly device: string;
  /** Makes the session the owner of these variables' values, starting from what they hold now. Repeated ones are ignored. */
  adopt(variables: readonly Variable[]): void;
  jit<I extends Tensors, O extends Tensors>(fn: StepFunction<I, O>, options?: JitOptions): Compiled<O>;
  /** Copies the variables' values out, into `into` where given (same order, same lengths). */
  read(variables: readonly Variable[], into?: readonly (Float32Array | Int32Array)[]): (Float32Array | Int32Array)[];
  /** Copies values in; lengths must match. */
  write(variables: readonly Variable[], values: readonly (Float32Array | Int32Array)[]): void;
  /** Frees everything native. Further calls throw. Idempotent. */
  close(): void;
}
