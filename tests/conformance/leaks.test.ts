// Nothing leaks: every native object is freed by its owner, and memory is level over many steps and many sessions.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HostTensor, StepFunction } from '../../trainer/src/jit/contract.js';
import { hostExchange } from '../../trainer/src/jit/host-exchange.js';
import { NativeSession } from '../../trainer/src/jit/native-session.js';
import { TensorFlowSession } from '../../trainer/src/jit/session.js';
import type { CApi } from '../../trainer/src/runtime/capi.js';
import { noLibrary } from '../support/library.js';
import { openLibrary } from './compiled.js';
import { countingApi } from './counting.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const x = (...values: number[]): { x: HostTensor } => ({
  x: { dtype: 'float32', shape: [values.length], data: Float32Array.from(values) },
});
const index = (i: number): { i: HostTensor } => ({ i: { dtype: 'int32', shape: [1], data: Int32Array.of(i) } });

/** A variable and a function that adds to it. */
function accumulator(session: TensorFlowSession) {
  const total = tf.variable(tf.tensor1d([0, 0]));
  session.adopt([total]);
  const add = session.jit(({ x }: { x: tf.Tensor }) => {
    total.assign(tf.add(total, x));
    return { total: tf.clone(total), norm: tf.norm(total) };
  });
  return { total, add };
}

let library: CApi;
beforeAll(async () => {
  library = await openLibrary();
  await tf.setBackend('cpu');
});

describe.skipIf(noLibrary)('native objects', () => {
  let counting: ReturnType<typeof countingApi>;
  let session: TensorFlowSession;
  beforeEach(() => {
    counting = countingApi(library);
    session = new TensorFlowSession(counting.c, {}, () => {});
  });
  afterEach(() => {
    session.close();
    tf.disposeVariables();
    expect(counting.made('session')).toBeGreaterThan(0);
    expect(counting.alive()).toEqual({});
  });
  /** The library, but one call fails: a session is not made; closing and deleting do their work and then report failure. */
  const failingAt = (what: string): CApi => ({
    ...counting.c,
    check: (at, call) => {
      const failed = new Error(`${at}: failed`);
      if (at === what && at === 'session') throw failed;
      const result = counting.c.check(at, call);
      if (at === what) throw failed;
      return result;
    },
  });
  const fails = (fn: StepFunction): void => expect(() => session.jit(fn).run(x(1, 2))).toThrow();

  test('are freed after runs, reads and writes', () => {
    const { total, add } = accumulator(session);
    add.run(x(1, 2));
    session.write([total], [Float32Array.of(5, 5)]);
    session.read([total]);
    // The session, its graph and the tensor that the function is fed from.
    expect(counting.alive()).toEqual({ session: 1, graph: 1, tensor: 1 });
    add.dispose();
    expect(counting.alive()).toEqual({ session: 1, graph: 1 });
  });

  test('are freed after asynchronous runs', async () => {
    const { add } = accumulator(session);
    for (let i = 0; i < 3; i++) await add.runAsync(x(1, 2));
    expect(counting.alive()).toEqual({ session: 1, graph: 1, tensor: 1 });
  });

  test('are freed after results were lent, and with the function that is fed from them', async () => {
    const { add } = accumulator(session);
    const { x: fed } = add.memory({ x: { dtype: 'float32', shape: [2] } });
    fed.data.set([1, 2]);
    for (let i = 0; i < 3; i++) {
      await add.runLending({ x: fed }, () => expect(counting.alive()).toEqual({ session: 1, graph: 1, tensor: 3 }));
      await expect(add.runLending({ x: fed }, () => Promise.reject(new Error('of the user')))).rejects.toThrow('of the user');
      expect(counting.alive()).toEqual({ session: 1, graph: 1, tensor: 1 });
    }
    add.dispose();
    expect(counting.alive()).toEqual({ session: 1, graph: 1 });
  });

  test('are freed after traces that fail', () => {
    const outside = tf.tensor1d([1, 2]);
    fails(({ x }) => ({ y: tf.mul(x!, outside) }));
    fails(({ x }) => ({ y: tf.unique(x!).values }));
    fails(({ x }) => ({ y: tf.scalar(x!.dataSync()[0]!) }));
    fails(({ x }) => ({ y: tf.complex(x!, x!) }));
    outside.dispose();
    expect(counting.alive()).toEqual({ session: 1, graph: 1 });
  });

  test('are freed after runs that fail, on either path', async () => {
    const pick = session.jit(({ i }: { i: tf.Tensor }) => ({ y: tf.gather(tf.tensor1d([1, 2]), i as tf.Tensor1D), i }));
    expect(() => pick.run(index(7))).toThrow();
    await expect(pick.runAsync(index(7))).rejects.toThrow();
    expect(() => pick.run(index(1), { y: { dtype: 'float32', shape: [9], data: new Float32Array(9) } })).toThrow();
    await expect(pick.runAsync(index(1), { y: { dtype: 'float32', shape: [9], data: new Float32Array(9) } })).rejects.toThrow();
    expect(counting.alive()).toEqual({ session: 1, graph: 1, tensor: 1 });
  });

  test('are freed where variables are made inside the function', () => {
    const w = tf.variable(tf.tensor1d([1, 2]));
    const optimizer = tf.train.adam(0.1);
    session.jit(() => ({ loss: optimizer.minimize(() => tf.sum(tf.square(w)) as tf.Scalar, true, [w])! })).run({});
    expect(counting.alive()).toEqual({ session: 1, graph: 1 });
  });

  test('are freed where a write is refused', () => {
    const { total } = accumulator(session);
    const other = tf.variable(tf.tensor1d([0]));
    session.adopt([other]);
    expect(() => session.write([total, other], [Float32Array.of(1, 2), Float32Array.of(1, 2)])).toThrow();
    expect(counting.alive()).toEqual({ session: 1, graph: 1 });
  });

  test('are freed where a session cannot be made', () => {
    expect(() => new NativeSession(failingAt('session'), {})).toThrow('session: failed');
    expect(counting.alive()).toEqual({ session: 1, graph: 1 });
  });

  test.each(['close session', 'delete session'])('are freed where it fails to %s', (what) => {
    const other = new NativeSession(failingAt(what), {});
    expect(() => other.close()).toThrow(`${what}: failed`);
    expect(counting.alive()).toEqual({ session: 1, graph: 1 });
  });
});

describe.skipIf(noLibrary)('memory', () => {
  const residentMegabytes = (): number => {
    collectGarbage();
    return process.memoryUsage().rss / 2 ** 20;
  };

  /**
   * Megabytes that half so many calls add, after as many to warm up: the least of three times, as a leak adds them each time,
   * while what allocator and collector hold back goes up and down.
   */
  async function growth(calls: number, work: () => unknown): Promise<number> {
    const half = async (): Promise<number> => {
      for (let i = 0; i < calls / 2; i++) await work();
      return residentMegabytes();
    };
    const levels = [await half(), await half(), await half(), await half()];
    return Math.min(...levels.slice(1).map((level, i) => level - levels[i]!));
  }

  afterEach(() => tf.disposeVariables());

  test('is level over 10,000 steps', async () => {
    const session = new TensorFlowSession(library);
    const { add } = accumulator(session);
    // 40 KB in and out: a leak of either would be 200 MB.
    const square = session.jit(({ x }: { x: tf.Tensor }) => ({ y: tf.square(x) }));
    const big = x(...Array.from({ length: 10_000 }, (_, i) => i));
    const into = { y: x(...new Array(10_000).fill(0)).x };
    const step = (): void => {
      add.run(x(1, 2));
      square.run(big, into);
    };
    expect(await growth(10_000, step)).toBeLessThan(20);
    session.close();
  });

  test('is level over 1,000 asynchronous steps', async () => {
    const session = new TensorFlowSession(library);
    const square = session.jit(({ x }: { x: tf.Tensor }) => ({ y: tf.square(x) }));
    const big = x(...Array.from({ length: 100_000 }, (_, i) => i));
    expect(await growth(1_000, () => square.runAsync(big))).toBeLessThan(20);
    session.close();
  });

  test('is level over 1,000 steps whose inputs and results are never copied', async () => {
    const session = new TensorFlowSession(library);
    const square = session.jit(({ x }: { x: tf.Tensor }) => ({ y: tf.square(x) }));
    const inputs = square.memory({ x: { dtype: 'float32', shape: [100_000] } });
    inputs.x.data.fill(3);
    let sum = 0;
    const use = ({ y }: { y: HostTensor }): void => {
      sum += y.data[99_999]!;
    };
    expect(await growth(1_000, () => square.runLending(inputs, use))).toBeLessThan(20);
    expect(sum).toBe(9 * 2_000);
    session.close();
  });

  test('is level over 1,000 steps that exchange, half of which the host fails', async () => {
    const session = new TensorFlowSession(library);
    let step = 0;
    const onExchange = (): void => {
      if (step++ % 2 === 1) throw new Error('of the host');
    };
    const fn = session.jit(({ x }: { x: tf.Tensor }) => ({ y: tf.square(hostExchange(tf.neg(x))) }), { onExchange });
    const big = x(...Array.from({ length: 100_000 }, (_, i) => i));
    expect(await growth(1_000, () => fn.runAsync(big).catch(() => {}))).toBeLessThan(20);
    expect(step).toBe(2_000);
    session.close();
  });

  test('is level over 100 sessions', async () => {
    const once = (): void => {
      const session = new TensorFlowSession(library);
      const { total, add } = accumulator(session);
      // 4 MB of values in each: leaked, the second fifty would keep 200 MB.
      const weights = tf.variable(tf.zeros([1_000_000]));
      session.adopt([weights]);
      add.run(x(1, 2));
      session.close();
      total.dispose();
      weights.dispose();
    };
    expect(await growth(100, once)).toBeLessThan(20);
  });
});
