// A step function compiled for the shapes it is called with: a trace per set of shapes, each with memory to be fed from.
import type { CApi, Pointer } from '../runtime/capi.js';
import { bytesOf, elements, NativeTensor, viewOf } from '../runtime/tensor.js';
import type { Compiled, HostSpec, HostTensor, HostTensors, JitOptions, StepFunction, Tensors } from './contract.js';
import { Loan } from './loan.js';
import { isStaged, type RunPlan } from './native-session.js';
import { DEFAULT_MAX_TRACES, HOST_ARRAYS, signature, tooManyTraces } from './shapes.js';
import { freePlan, type StagedPlan } from './staged-run.js';
import { dtypeNumber, type InputSpec } from './trace.js';

/** What one trace needs to run: native memory for the inputs, and where results come from. */
export interface Executable {
  readonly plan: RunPlan | StagedPlan;
  readonly outputs: readonly InputSpec[];
}

/** What a compiled function asks of its session. */
export interface Host {
  readonly c: CApi;
  /** Throws where the session is closed, or busy with the memory that functions are fed from. */
  assertFree(what: string): void;
  /** Throws only where it is busy. */
  assertIdle(what: string): void;
  /** The function was disposed of: the session need not hold it any longer. */
  released(fn: Compiled): void;
  compile(fn: StepFunction, inputs: readonly InputSpec[], options: Required<Pick<JitOptions, 'name'>> & JitOptions): Executable;
  run(plan: RunPlan | StagedPlan, fed: readonly Pointer[], what: string): Pointer[];
  runAsync(plan: RunPlan | StagedPlan, fed: readonly Pointer[], what: string): Promise<Pointer[]>;
  /** Refuses to close while `use` goes on. */
  whileLent<T>(use: () => T | Promise<T>): Promise<T>;
}

interface Prepared extends Executable {
  readonly inputs: readonly InputSpec[];
  readonly fed: readonly NativeTensor[];
  readonly pointers: readonly Pointer[];
  /** What callers write inputs to directly. */
  readonly loan: Loan;
}

type Specs = Readonly<Record<string, HostSpec>>;

type Into = Partial<Record<string, HostTensor>>;

export class CompiledFunction<O extends Tensors> implements Compiled<O> {
  readonly name: string;
  readonly #host: Host;
  readonly #fn: StepFunction;
  readonly #options: JitOptions;
  readonly #prepared = new Map<string, Prepared>();
  #last: Prepared | undefined;
  #lent = 0;
  #disposed = false;

  constructor(host: Host, fn: StepFunction, options: JitOptions & { name: string }) {
    this.#host = host;
    this.#fn = fn;
    this.#options = options;
    this.name = options.name;
  }

  get traces(): number {
    return this.#prepared.size;
  }

  prepare(inputs: HostTensors): number {
    const began = performance.now();
    this.#preparedFor(inputs);
    return performance.now() - began;
  }

  run(inputs: HostTensors, into?: Into): Record<keyof O, HostTensor> {
    const prepared = this.#fill(inputs);
    return this.#collect(prepared, this.#host.run(prepared.plan, prepared.pointers, this.name), into);
  }

  async runAsync(inputs: HostTensors, into?: Into): Promise<Record<keyof O, HostTensor>> {
    const prepared = this.#fill(inputs);
    return this.#collect(prepared, await this.#host.runAsync(prepared.plan, prepared.pointers, this.name), into);
  }

  async runLending<T>(inputs: HostTensors, use: (results: Record<keyof O, HostTensor>) => T | Promise<T>): Promise<T> {
    const prepared = this.#fill(inputs);
    const results = await this.#host.runAsync(prepared.plan, prepared.pointers, this.name);
    const loan = new Loan(`${this.name}: its lent results`);
    this.#lent++;
    try {
      const tensors = prepared.outputs.map((spec, i) => [spec.name, this.#lend(loan, spec, viewOf(this.#host.c, results[i]!))]);
      return await this.#host.whileLent(() => use(Object.fromEntries(tensors) as Record<keyof O, HostTensor>));
    } finally {
      this.#lent--;
      loan.end();
      for (const tensor of results) this.#host.c.TF_DeleteTensor(tensor);
    }
  }

  memory<K extends string>(specs: Readonly<Record<K, HostSpec>>): Readonly<Record<K, HostTensor>> {
    this.#host.assertFree(this.name);
    const { inputs, fed, loan } = this.#preparedFor(specs);
    const entries = inputs.map((spec, i) => [spec.name, this.#lend(loan, spec, fed[i]!.bytes)]);
    return Object.fromEntries(entries) as Record<K, HostTensor>;
  }

  dispose(): void {
    // An asynchronous run still reads the memory it was fed from, and so may those who read a result that is an input.
    this.#host.assertIdle(`${this.name} cannot be disposed of`);
    if (this.#lent > 0) throw new Error(`${this.name} cannot be disposed of: its results are lent out; await their use first`);
    for (const { fed, loan, plan } of this.#prepared.values()) {
      loan.end();
      for (const tensor of fed) tensor.delete();
      if (isStaged(plan)) freePlan(plan);
    }
    this.#prepared.clear();
    this.#last = undefined;
    this.#disposed = true;
    this.#host.released(this);
  }

  #fill(inputs: HostTensors): Prepared {
    this.#host.assertFree(this.name);
    const prepared = this.#preparedFor(inputs);
    prepared.inputs.forEach((spec, i) => {
      const bytes = bytesOf(inputs[spec.name]!.data);
      const target = prepared.fed[i]!.bytes;
      if (bytes.byteLength !== target.byteLength) {
        throw new Error(
          `${this.name}: input ${spec.name} of shape [${spec.shape}] needs ${elements(spec.shape)} ${spec.dtype} values; its memory has ${bytes.byteLength} bytes`,
        );
      }
      if (!isSameMemory(bytes, target)) target.set(bytes);
    });
    return prepared;
  }

  #preparedFor(inputs: Specs): Prepared {
    if (this.#disposed) throw new Error(`${this.name} was disposed`);
    if (this.#last && matches(this.#last.inputs, inputs)) return this.#last;
    const specs = Object.keys(inputs).map(
      (name): InputSpec => ({ name, dtype: inputs[name]!.dtype, shape: [...inputs[name]!.shape] }),
    );
    const key = signature(inputs);
    this.#last = this.#prepared.get(key) ?? this.#trace(key, specs);
    return this.#last;
  }

  #trace(key: string, inputs: readonly InputSpec[]): Prepared {
    const most = this.#options.maxTraces ?? DEFAULT_MAX_TRACES;
    if (this.#prepared.size >= most)
      throw tooManyTraces(this.name, { most, newest: key, before: [...this.#prepared.keys()].at(-1) });
    const executable = this.#host.compile(this.#fn, inputs, { ...this.#options, name: this.name });
    const fed = inputs.map((spec) => new NativeTensor(this.#host.c, dtypeNumber(spec.dtype), spec.shape));
    const loan = new Loan(`${this.name}: the memory it is fed from`);
    const prepared: Prepared = { ...executable, inputs, fed, pointers: fed.map((t) => t.pointer), loan };
    this.#prepared.set(key, prepared);
    return prepared;
  }

  #lend(loan: Loan, spec: InputSpec, bytes: Uint8Array): HostTensor {
    const { buffer, byteOffset } = bytes;
    return loan.tensor(spec, new HOST_ARRAYS[spec.dtype](buffer, byteOffset, elements(spec.shape)));
  }

  #collect(prepared: Prepared, results: readonly Pointer[], into: Into = {}): Record<keyof O, HostTensor> {
    const { c } = this.#host;
    try {
      const entries = prepared.outputs.map((spec, i) => {
        const target = into[spec.name] ?? emptyTensor(spec);
        const bytes = viewOf(c, results[i]!);
        if (target.data.byteLength !== bytes.byteLength) {
          throw new Error(
            `${this.name}: result ${spec.name} has ${bytes.byteLength} bytes, the memory given for it ${target.data.byteLength}`,
          );
        }
        bytesOf(target.data).set(bytes);
        return [spec.name, target] as const;
      });
      return Object.fromEntries(entries) as Record<keyof O, HostTensor>;
    } finally {
      for (const tensor of results) c.TF_DeleteTensor(tensor);
    }
  }
}

const isSameMemory = (a: Uint8Array, b: Uint8Array): boolean => a.buffer === b.buffer && a.byteOffset === b.byteOffset;

function matches(specs: readonly InputSpec[], inputs: Specs): boolean {
  if (Object.keys(inputs).length !== specs.length) return false;
  return specs.every(({ name, dtype, shape }) => {
    const given = inputs[name];
    return (
      given !== undefined &&
      given.dtype === dtype &&
      given.shape.length === shape.length &&
      given.shape.every((n, i) => n === shape[i])
    );
  });
}

/** Fresh memory for a result. */
function emptyTensor({ dtype, shape }: InputSpec): HostTensor {
  return { dtype, shape, data: new HOST_ARRAYS[dtype](elements(shape)) };
}
