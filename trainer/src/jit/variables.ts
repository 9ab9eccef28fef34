// The variables of one session: handles in its graph, values on its device.
import type * as tf from '@tensorflow/tfjs-core';
import type { CApi, Pointer } from '../runtime/capi.js';
import { bytesOf, NativeTensor, viewOf } from '../runtime/tensor.js';
import { attribute } from './attributes.js';
import type { Value } from './graph.js';
import type { NativeSession } from './native-session.js';
import { variableType } from './trace.js';

type Values = Float32Array | Int32Array;

interface Slot {
  readonly variable: tf.Variable;
  readonly handle: Value;
  readonly read: Value;
  /** Takes the value to assign. */
  readonly from: Value;
  readonly assign: Pointer;
}

export class VariableStore {
  readonly #c: CApi;
  readonly #session: NativeSession;
  readonly #slots = new Map<number, Slot>();

  constructor(c: CApi, session: NativeSession) {
    this.#c = c;
    this.#session = session;
  }

  get all(): tf.Variable[] {
    return [...this.#slots.values()].map((slot) => slot.variable);
  }

  /** Takes over the values of those variables that it does not hold yet. */
  adopt(variables: readonly tf.Variable[]): void {
    const fresh = variables.filter((v) => !this.#slots.has(v.id));
    this.adoptWith(
      fresh,
      fresh.map((v) => v.dataSync() as Values),
    );
  }

  adoptWith(variables: readonly tf.Variable[], values: readonly Values[]): void {
    for (const variable of variables) this.#slots.set(variable.id, this.#makeSlot(variable));
    this.write(variables, values);
  }

  handle(variable: tf.Variable): Value {
    return this.#slot(variable).handle;
  }

  read(variables: readonly tf.Variable[], into?: readonly Values[]): Values[] {
    const slots = variables.map((v) => this.#slot(v));
    const results = this.#session.run({ feeds: [], fetches: slots.map((s) => s.read.out), targets: [] }, [], 'read variables');
    try {
      return results.map((tensor, i) => this.#copyOut(variables[i]!, tensor, into?.[i]));
    } finally {
      for (const tensor of results) this.#c.TF_DeleteTensor(tensor);
    }
  }

  /**
   * All in one run: a run for each variable would prune the graph each time (0.2 s a variable; 23 s for a net of depth 56).
   * The tensors are given away: the session may keep their memory as the variables' own.
   */
  write(variables: readonly tf.Variable[], values: readonly Values[]): void {
    if (variables.length === 0) return;
    const slots = variables.map((v) => this.#slot(v));
    for (const [i, variable] of variables.entries()) {
      if (values[i]?.length !== variable.size)
        throw new Error(`variable ${variable.name} has ${variable.size} values; ${values[i]?.length} were given`);
    }
    const tensors: NativeTensor[] = [];
    try {
      for (const [i, { variable, from }] of slots.entries())
        tensors.push(NativeTensor.from(this.#c, from.dtype, variable.shape, storage(variable, values[i]!)));
      const plan = { feeds: slots.map((s) => s.from.out), fetches: [], targets: slots.map((s) => s.assign) };
      this.#session.run(
        plan,
        tensors.map((t) => t.pointer),
        'write variables',
      );
    } finally {
      for (const tensor of tensors) tensor.delete();
    }
  }

  #makeSlot(variable: tf.Variable): Slot {
    const { graph } = this.#session;
    const type = variableType(variable);
    const dtype = attribute('dtype', 'type', type);
    const unique = `variable_${variable.id}`;
    const handle = graph.apply(
      'VarHandleOp',
      [],
      [
        dtype,
        attribute('shape', 'shape', variable.shape),
        attribute('shared_name', 'string', unique),
        attribute('container', 'string', ''),
      ],
      { name: unique },
    );
    const from = graph.placeholder(type, variable.shape);
    const read = graph.value('ReadVariableOp', graph.operation('ReadVariableOp', [handle.out], [dtype]), {
      shape: variable.shape,
    });
    return { variable, handle, from, read, assign: graph.operation('AssignVariableOp', [handle.out, from.out], [dtype]) };
  }

  #copyOut(variable: tf.Variable, tensor: Pointer, into: Values | undefined): Values {
    const bytes = viewOf(this.#c, tensor);
    if (variable.dtype === 'bool') return Int32Array.from(bytes);
    const target = into ?? (variable.dtype === 'float32' ? new Float32Array(variable.size) : new Int32Array(variable.size));
    if (target.byteLength !== bytes.byteLength)
      throw new Error(`variable ${variable.name} has ${variable.size} values; the memory given has room for ${target.length}`);
    bytesOf(target).set(bytes);
    return target;
  }

  #slot(variable: tf.Variable): Slot {
    const slot = this.#slots.get(variable.id);
    if (!slot) throw new Error(`variable ${variable.name} does not belong to this session: adopt it first`);
    return slot;
  }
}

const storage = (variable: tf.Variable, values: Values): ArrayBufferView =>
  variable.dtype === 'bool' ? Uint8Array.from(values) : values;
