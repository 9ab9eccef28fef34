// What `hostExchange` and `JitOptions.onExchange` promise, as vitest tests for any engine.
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HostTensor, OnExchange, Session } from '../contract.js';
import { hostExchange } from '../host-exchange.js';
import type { EngineUnderTest } from './suite.js';

const floats = (...values: number[]): HostTensor => ({
  dtype: 'float32',
  shape: [values.length],
  data: Float32Array.from(values),
});
const values = (array: HostTensor | Float32Array | Int32Array | undefined): number[] =>
  Array.from(array && 'data' in array ? array.data : (array ?? []));

/** What the host was shown, and what it does about it. */
function recorder(answer: OnExchange = () => {}): { readonly seen: [number, ...number[]][]; readonly onExchange: OnExchange } {
  const seen: [number, ...number[]][] = [];
  return {
    seen,
    onExchange: (sent, index) => {
      seen.push([index, ...sent]);
      return answer(sent, index);
    },
  };
}
const double: OnExchange = (sent) => {
  for (const [i, value] of sent.entries()) sent[i] = 2 * value;
};

/** Two exchanges, the second of what came of the first, then a variable that adds up. */
function chain({ x }: { x: tf.Tensor }, total: tf.Variable) {
  const first = hostExchange(tf.square(x));
  const second = hostExchange(tf.add(first, x));
  total.assign(tf.add(total, second));
  return { first, second, after: tf.clone(total as tf.Tensor) };
}

export function exchangeSuite(engine: EngineUnderTest): void {
  describe(`exchanges with the host by ${engine.name}`, () => {
    let session: Session;
    let total: tf.Variable;
    beforeEach(async () => {
      tf.setBackend('cpu');
      session = await engine.open();
      total = tf.variable(tf.tensor1d([0, 0]));
      session.adopt([total]);
    });
    afterEach(() => {
      session.close();
      tf.disposeVariables();
    });
    const chained = (onExchange: OnExchange) =>
      session.jit((inputs: { x: tf.Tensor }) => chain(inputs, total), { name: 'chain', onExchange });

    answerTests(() => session, chained);
    failureTests(
      () => session,
      chained,
      () => values(session.read([total])[0]),
    );
  });
}

type Chained = (onExchange: OnExchange) => ReturnType<Session['jit']>;

function answerTests(session: () => Session, chained: Chained): void {
  test('with a host that changes nothing are as if they were not there', () => {
    const { first, second } = chained(() => {}).run({ x: floats(1, 3) });
    expect([first, second].map(values)).toEqual([
      [1, 9],
      [2, 12],
    ]);
  });

  test('go on with what the host leaves, on either path, run after run', async () => {
    const fn = chained(double);
    for (const sum of [1, 3]) {
      const { first, second, after } = fn.run({ x: floats(1, 3) });
      expect([first, second, after].map(values)).toEqual([
        [2, 18],
        [6, 42],
        [6 * sum, 42 * sum],
      ]);
      expect(values((await fn.runAsync({ x: floats(1, 3) }))['after'])).toEqual([6 * (sum + 1), 42 * (sum + 1)]);
    }
  });

  test('come in the order in which the function makes them, numbered from 0 in each run', async () => {
    const { seen, onExchange } = recorder(double);
    const fn = session().jit(
      ({ x }: { x: tf.Tensor }) => {
        const [a, b] = [hostExchange(x), hostExchange(tf.neg(x))];
        hostExchange(tf.mul(x, 10));
        return { sum: tf.add(a, b), again: hostExchange(a) };
      },
      { onExchange },
    );
    const sent = [
      [0, 1],
      [1, -1],
      [2, 10],
      [3, 2],
    ];
    fn.run({ x: floats(1) });
    const { sum, again } = await fn.runAsync({ x: floats(1) });
    expect(seen).toEqual([...sent, ...sent]);
    expect([sum, again].map(values)).toEqual([[0], [4]]);
  });

  test('keep shapes, a scalar’s too, and each set of shapes has its own', () => {
    const fn = session().jit(({ x }: { x: tf.Tensor }) => ({ y: hostExchange(x), mean: hostExchange(tf.mean(x)) }), {
      onExchange: double,
    });
    for (const shape of [
      [2, 1],
      [1, 4],
      [2, 1],
    ]) {
      const size = shape[0]! * shape[1]!;
      const { y, mean } = fn.run({ x: { dtype: 'float32', shape, data: new Float32Array(size).fill(3) } });
      expect([y!.shape, values(y), mean!.shape, values(mean)]).toEqual([shape, new Array(size).fill(6), [], [6]]);
    }
  });

  test('happen in gradients that are written by hand', () => {
    const cube = tf.customGrad((...args: unknown[]) => {
      const [x, save] = args as [tf.Tensor, (tensors: tf.Tensor[]) => void];
      save([x]);
      const gradFunc = (dy: tf.Tensor, [s]: tf.Tensor[]) => hostExchange(tf.mul(dy, tf.mul(3, tf.square(s!))));
      return { value: tf.pow(x, 3), gradFunc: gradFunc as never };
    });
    const fn = session().jit(({ x }: { x: tf.Tensor }) => ({ dx: tf.grad((v: tf.Tensor) => tf.sum(cube(v)))(x) }), {
      onExchange: double,
    });
    expect(values(fn.run({ x: floats(1, 2) })['dx'])).toEqual([6, 24]);
  });

  test('leave functions without any as they are', () => {
    const { seen, onExchange } = recorder();
    const fn = session().jit(({ x }: { x: tf.Tensor }) => ({ y: tf.square(x) }), { onExchange });
    expect(values(fn.run({ x: floats(3) }).y)).toEqual([9]);
    expect(seen).toEqual([]);
  });

  test('leave no tensors behind', () => {
    const fn = chained(double);
    fn.run({ x: floats(1, 3) });
    const { numTensors } = tf.memory();
    for (let i = 0; i < 5; i++) fn.run({ x: floats(1, 3) });
    expect(tf.memory().numTensors).toBe(numTensors);
  });
}

function failureTests(session: () => Session, chained: Chained, total: () => number[]): void {
  test.each([0, 1])(
    'a host that fails at exchange %i fails the run with its error; no variable changes, the next run works',
    async (at) => {
      let fails = false;
      const fn = chained((sent, index) => {
        if (fails && index === at) throw new Error('of the host');
        return double(sent, index);
      });
      fn.run({ x: floats(1, 3) });
      fails = true;
      expect(() => fn.run({ x: floats(1, 3) })).toThrow('of the host');
      await expect(fn.runAsync({ x: floats(1, 3) })).rejects.toThrow('of the host');
      expect(total()).toEqual([6, 42]);
      fails = false;
      expect(values(fn.run({ x: floats(1, 3) })['after'])).toEqual([12, 84]);
    },
  );

  test('a promise is refused where nobody can wait for it', () => {
    const fn = chained(async () => {
      throw new Error('unheard');
    });
    expect(() => fn.run({ x: floats(1, 3) })).toThrow('chain: onExchange returned a promise');
    expect(total()).toEqual([0, 0]);
  });

  test('without a host are refused, and say what is missing', () => {
    const fn = session().jit(({ x }: { x: tf.Tensor }) => ({ y: hostExchange(x) }), { name: 'lonely' });
    expect(() => fn.run({ x: floats(1) })).toThrow('lonely: hostExchange needs a host to exchange with: give jit an onExchange');
  });

  test('of whole numbers are refused', () => {
    const fn = session().jit(({ x }: { x: tf.Tensor }) => ({ y: hostExchange(tf.cast(x, 'int32')) }), {
      name: 'whole',
      onExchange: () => {},
    });
    expect(() => fn.run({ x: floats(1) })).toThrow('whole: hostExchange takes float32 only');
  });
}
