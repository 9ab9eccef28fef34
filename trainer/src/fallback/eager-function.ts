// A step function as the fallback engine calls it: host memory in, eager ops, host memory out, nothing left behind.
import * as tf from '@tensorflow/tfjs-core';
import type {
  Compiled,
  HostDType,
  HostSpec,
  HostTensor,
  HostTensors,
  JitOptions,
  StepFunction,
  Tensors,
} from '../jit/contract.js';
import { Loan } from '../jit/loan.js';
import { DEFAULT_MAX_TRACES, HOST_ARRAYS, signature, tooManyTraces } from '../jit/shapes.js';
import type { BackendWasm } from './heap.js';
import { exchangingWith } from './host-exchange.js';

/** What an eager function asks of its session. */
export interface Host {
  readonly backend: BackendWasm;
  /** Throws where the session is closed or busy. */
  assertFree(what: string): void;
  /** Throws where it is busy. */
  assertIdle(what: string): void;
  /** Keeps other calls out until `work` is done. */
  whileBusy<T>(work: () => Promise<T>): Promise<T>;
  /** Refuses to close while `use` goes on. */
  whileLent<T>(use: () => T | Promise<T>): Promise<T>;
  /** Runs `work` with tfjs' wasm backend active, then gives the former one back. */
  onBackend<T>(work: () => T): T;
  /** Runs `work`; the session owns the variables that it makes. */
  adoptNew<T>(work: () => T): T;
  /** Runs `work`; where it throws, the session's variables have the values from before. Call within a scope of tfjs. */
  allOrNothing<T>(work: () => T): T;
  /** Forgets a function that was disposed of. */
  released(fn: Compiled): void;
}

type Into = Partial<Record<string, HostTensor>>;

export class EagerFunction<O extends Tensors> implements Compiled<O> {
  readonly name: string;
  readonly #host: Host;
  readonly #fn: StepFunction;
  readonly #onExchange: JitOptions['onExchange'];
  readonly #maxTraces: number;
  /** Nothing is traced, yet sets of input shapes are counted and limited as the compiled engine does. */
  readonly #signatures = new Set<string>();
  /** Those of `#signatures` that ran: only a run makes the variables that the session adopts. */
  readonly #ran = new Set<string>();
  /** What callers may keep their inputs in, by signature. */
  readonly #memory = new Map<string, HostTensors>();
  readonly #memoryLoan: Loan;
  #lent = 0;
  #disposed = false;

  constructor(host: Host, fn: StepFunction, options: JitOptions & { name: string }) {
    this.#host = host;
    this.#fn = fn;
    this.name = options.name;
    this.#onExchange = options.onExchange;
    this.#maxTraces = options.maxTraces ?? DEFAULT_MAX_TRACES;
    this.#memoryLoan = new Loan(`${this.name}: the memory it is fed from`);
  }

  get traces(): number {
    return this.#signatures.size;
  }

  prepare(inputs: HostTensors): number {
    const began = performance.now();
    this.#check(inputs);
    this.#signatures.add(signature(inputs));
    return performance.now() - began;
  }

  run(inputs: HostTensors, into: Into = {}): Record<keyof O, HostTensor> {
    this.#check(inputs);
    return this.#execute(inputs, into);
  }

  async runAsync(inputs: HostTensors, into: Into = {}): Promise<Record<keyof O, HostTensor>> {
    this.#check(inputs);
    return await this.#host.whileBusy(async () => {
      // A step blocks the thread; timers and sockets get their turn before each.
      await new Promise(setImmediate);
      return this.#execute(inputs, into);
    });
  }

  /** The heap's views die when it grows, so what is lent are copies. */
  async runLending<T>(inputs: HostTensors, use: (results: Record<keyof O, HostTensor>) => T | Promise<T>): Promise<T> {
    const results = Object.entries<HostTensor>(await this.runAsync(inputs));
    const loan = new Loan(`${this.name}: its lent results`);
    this.#lent++;
    try {
      const lent = Object.fromEntries(results.map(([name, tensor]) => [name, loan.tensor(tensor, tensor.data)]));
      return await this.#host.whileLent(() => use(lent as Record<keyof O, HostTensor>));
    } finally {
      this.#lent--;
      loan.end();
    }
  }

  /** Inputs are copied to the heap at each run: plain arrays serve. */
  memory<K extends string>(specs: Readonly<Record<K, HostSpec>>): Readonly<Record<K, HostTensor>> {
    this.#assertOpen();
    const key = signature(specs);
    this.#assertFewTraces(key);
    this.#signatures.add(key);
    const kept = this.#memory.get(key) ?? this.#makeMemory(specs);
    this.#memory.set(key, kept);
    return kept as Record<K, HostTensor>;
  }

  dispose(): void {
    this.#host.assertIdle(`${this.name} cannot be disposed of`);
    if (this.#lent > 0) throw new Error(`${this.name} cannot be disposed of: its results are lent out; await their use first`);
    this.#memoryLoan.end();
    this.#memory.clear();
    this.#disposed = true;
    this.#signatures.clear();
    this.#ran.clear();
    this.#host.released(this);
  }

  #execute(inputs: HostTensors, into: Into): Record<keyof O, HostTensor> {
    const key = signature(inputs);
    const step = (): Record<keyof O, HostTensor> => {
      tf.engine().startScope(this.name);
      try {
        const compute = () => exchangingWith(this.name, this.#onExchange, () => this.#fn(toTensors(inputs)));
        return this.#host.allOrNothing(() => this.#collect(compute(), into));
      } finally {
        tf.engine().endScope();
      }
    };
    const results = this.#host.onBackend(() => (this.#ran.has(key) ? step() : this.#host.adoptNew(step)));
    this.#signatures.add(key);
    this.#ran.add(key);
    return results;
  }

  #makeMemory(specs: Readonly<Record<string, HostSpec>>): HostTensors {
    const entries = Object.entries(specs).map(([name, spec]) => {
      const data = new HOST_ARRAYS[spec.dtype](tf.util.sizeFromShape([...spec.shape]));
      return [name, this.#memoryLoan.tensor(spec, data)];
    });
    return Object.fromEntries(entries) as HostTensors;
  }

  #check(inputs: HostTensors): void {
    this.#assertOpen();
    for (const [name, { shape, dtype, data }] of Object.entries(inputs)) {
      const size = tf.util.sizeFromShape([...shape]);
      if (data.length !== size)
        throw new Error(
          `${this.name}: input ${name} of shape [${shape}] needs ${size} ${dtype} values; its memory has ${data.length}`,
        );
    }
    this.#assertFewTraces(signature(inputs));
  }

  #assertOpen(): void {
    this.#host.assertFree(this.name);
    if (this.#disposed) throw new Error(`${this.name} was disposed`);
  }

  #assertFewTraces(key: string): void {
    if (!this.#signatures.has(key) && this.#signatures.size >= this.#maxTraces)
      throw tooManyTraces(this.name, { most: this.#maxTraces, newest: key, before: [...this.#signatures].at(-1) });
  }

  #collect(results: Tensors, into: Into): Record<keyof O, HostTensor> {
    const entries = Object.entries(results).map(([name, tensor]) => {
      if (!(tensor instanceof tf.Tensor)) throw new Error(`${this.name}: result ${name} is not a tensor`);
      const dtype = tensor.dtype as HostDType;
      const target = into[name] ?? { dtype, shape: [...tensor.shape], data: new HOST_ARRAYS[dtype](tensor.size) };
      if (target.data.length !== tensor.size)
        throw new Error(`${this.name}: result ${name} has ${tensor.size} values, the memory given for it ${target.data.length}`);
      target.data.set(this.#host.backend.typedArrayFromHeap(tensor));
      return [name, target] as const;
    });
    return Object.fromEntries(entries) as Record<keyof O, HostTensor>;
  }
}

/** Copies the inputs to the heap; bytes become int32, which is what tfjs has for them. */
function toTensors(inputs: HostTensors): Tensors {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype, data }]) => {
      if (dtype === 'uint8') return [name, tf.tensor(Int32Array.from(data), [...shape], 'int32')];
      return [name, tf.tensor(data, [...shape], dtype)];
    }),
  );
}
