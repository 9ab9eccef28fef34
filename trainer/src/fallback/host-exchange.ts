// The host's part in a step of the fallback engine: called on the spot, while the step waits.
import type * as tf from '@tensorflow/tfjs-core';
import type { OnExchange } from '../jit/contract.js';
import { type BackendWasm, floats, makeOutput } from './heap.js';

interface Partner {
  readonly what: string;
  readonly onExchange: OnExchange | undefined;
  calls: number;
}

/** Kernels know their backend only, which all sessions of the thread share: whoever runs a function says who its host is. */
let partner: Partner | undefined;

/** Runs `work`, whose exchanges are with this host. */
export function exchangingWith<T>(what: string, onExchange: OnExchange | undefined, work: () => T): T {
  const before = partner;
  partner = { what, onExchange, calls: 0 };
  try {
    return work();
  } finally {
    partner = before;
  }
}

/** Kernel `HostExchange`: x as the host leaves it. */
export function exchangeWithHost(backend: BackendWasm, { x }: { x: tf.TensorInfo }): tf.TensorInfo {
  const { what, onExchange } = partner ?? { what: 'outside a compiled function' };
  if (!partner || !onExchange) throw new Error(`${what}: hostExchange needs a host to exchange with: give jit an onExchange`);
  if (x.dtype !== 'float32') throw new Error(`${what}: hostExchange takes float32 only; cast it`);
  const values = floats(backend, x).slice();
  const answer = onExchange(values, partner.calls++);
  if (answer) {
    // Nobody waits for it; the error below says what is wrong.
    answer.catch(() => {});
    throw new Error(`${what}: onExchange returned a promise, which the wasm engine cannot wait for`);
  }
  const out = makeOutput(backend, x.shape);
  floats(backend, out).set(values);
  return out;
}
