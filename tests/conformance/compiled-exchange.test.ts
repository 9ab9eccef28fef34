// Exchanges in runs of the compiled engine: what only runs off the JavaScript thread, and runs cut in portions, can get wrong.
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HostTensor, JitOptions, OnExchange } from '../../trainer/src/jit/contract.js';
import { hostExchange } from '../../trainer/src/jit/host-exchange.js';
import { TensorFlowSession } from '../../trainer/src/jit/session.js';
import { noLibrary } from '../support/library.js';
import { openLibrary } from './compiled.js';
import { countingApi } from './counting.js';

const floats = (...values: number[]): HostTensor => ({
  dtype: 'float32',
  shape: [values.length],
  data: Float32Array.from(values),
});
const x = floats(1, 3);
const later = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

describe.skipIf(noLibrary)('a compiled function that exchanges', () => {
  let counting: ReturnType<typeof countingApi>;
  let session: TensorFlowSession;
  let total: tf.Variable;
  beforeEach(async () => {
    const library = await openLibrary();
    tf.setBackend('cpu');
    counting = countingApi(library);
    session = new TensorFlowSession(counting.c, {}, () => {});
    total = tf.variable(tf.tensor1d([0, 0]));
    session.adopt([total]);
  });
  afterEach(() => {
    session.close();
    tf.disposeVariables();
    expect(counting.alive()).toEqual({});
  });
  /** Adds what the host makes of x to a variable. */
  const add = (onExchange: OnExchange, options: JitOptions = {}) =>
    session.jit(
      ({ x }: { x: tf.Tensor }) => {
        const answer = hostExchange(x);
        total.assign(tf.add(total, answer));
        return { answer, after: tf.clone(total as tf.Tensor) };
      },
      { name: 'add', onExchange, ...options },
    );
  const sum = (): number[] => Array.from(session.read([total])[0]!);

  test('waits for a host that takes its time, and passes on why it gave up', async () => {
    let fails = false;
    const fn = add(async (values) => {
      await later();
      if (fails) throw new Error('too late');
      values[0] = 5;
    });
    expect((await fn.runAsync({ x })).after!.data).toEqual(Float32Array.of(5, 3));
    fails = true;
    await expect(fn.runAsync({ x })).rejects.toThrow('too late');
    expect(sum()).toEqual([5, 3]);
    fails = false;
    expect((await fn.runAsync({ x })).after!.data).toEqual(Float32Array.of(10, 6));
  });

  test('keeps the session to itself while the host has its say', async () => {
    const refused: string[] = [];
    const other = session.jit(({ x }: { x: tf.Tensor }) => ({ y: tf.neg(x) }));
    const fn = add(() => {
      for (const call of [() => other.run({ x }), () => session.read([total]), () => session.close()])
        try {
          call();
        } catch (error) {
          refused.push((error as Error).message);
        }
    });
    fn.run({ x });
    await fn.runAsync({ x });
    expect(refused).toHaveLength(6);
    for (const message of refused) expect(message).toContain('busy');
    expect(sum()).toEqual([2, 6]);
  });

  test('lends its results', async () => {
    const fn = add((values) => void values.fill(7));
    expect(await fn.runLending({ x }, ({ answer }) => Array.from(answer!.data))).toEqual([7, 7]);
  });

  test('shows the host float32 where it computes in bfloat16', () => {
    const seen: number[] = [];
    const fn = session.jit(
      ({ x }: { x: tf.Tensor }) => {
        const low = tf.conv2d(tf.reshape(x, [1, 1, 2, 1]) as tf.Tensor4D, tf.tensor4d([1], [1, 1, 1, 1]), 1, 'same');
        return { y: hostExchange(low) };
      },
      { precision: 'bf16', onExchange: (values) => void seen.push(...values) },
    );
    // 1 + 2^-10 has no place in bfloat16's eight digits.
    expect(fn.run({ x: floats(1 + 2 ** -10, 3) }).y!.data).toEqual(Float32Array.of(1, 3));
    expect(seen).toEqual([1, 3]);
  });

  test('has its assignments and results also where nothing depends on the answer', () => {
    const fn = session.jit(
      ({ x }: { x: tf.Tensor }) => {
        hostExchange(x);
        total.assign(x as tf.Tensor1D);
        return { same: x };
      },
      { onExchange: () => {} },
    );
    expect(fn.run({ x }).same!.data).toEqual(x.data);
    expect(sum()).toEqual([1, 3]);
  });

  test('is not given to XLA', () => {
    expect(add((values) => void values.fill(2), { xla: true }).run({ x }).answer!.data).toEqual(Float32Array.of(2, 2));
  });

  test('frees what it made: after runs that end and runs that the host fails', async () => {
    let fails = false;
    const fn = add(() => {
      if (fails) throw new Error('of the host');
    });
    for (fails of [false, true, false]) {
      const outcome = (run: () => unknown) => (fails ? expect(run).toThrow('of the host') : expect(run).not.toThrow());
      outcome(() => fn.run({ x }));
      const running = fn.runAsync({ x });
      await (fails ? expect(running).rejects.toThrow('of the host') : running);
    }
    // The tensors of x, of the answer and of whether to assign.
    expect(counting.alive()).toEqual({ session: 1, graph: 1, tensor: 3 });
    fn.dispose();
    expect(counting.alive()).toEqual({ session: 1, graph: 1 });
  });

  test('ends the session where an op fails in the middle, says so from then on, and frees what it made', async () => {
    const pick = session.jit(
      ({ i }: { i: tf.Tensor }) => ({ y: tf.gather(hostExchange(tf.tensor1d([1, 2])), i as tf.Tensor1D), i }),
      { onExchange: () => {} },
    );
    const outside: HostTensor = { dtype: 'int32', shape: [1], data: Int32Array.of(7) };
    await expect(pick.runAsync({ i: outside })).rejects.toThrow('indices[0] = 7');
    expect(() => session.read([total])).toThrow(
      /read variables: an op failed in a run that exchanges, which has ended the session: step: indices\[0\] = 7/,
    );
    await expect(pick.runAsync({ i: outside })).rejects.toThrow('has ended the session');
    expect(counting.alive()).toEqual({ session: 1, graph: 1, tensor: 2 });
  });
});
