// The session's contract as vitest tests, for any engine: what `Session` and `Compiled` promise in ../contract.ts.
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HostTensor, Session } from '../contract.js';
import type { EngineUnderTest } from './suite.js';

const floats = (...values: number[]): HostTensor => ({
  dtype: 'float32',
  shape: [values.length],
  data: Float32Array.from(values),
});
const scalar = (value: number): HostTensor => ({ dtype: 'float32', shape: [], data: Float32Array.of(value) });
const values = (tensor: HostTensor | Float32Array | Int32Array | undefined): number[] =>
  Array.from(tensor && 'data' in tensor ? tensor.data : (tensor ?? []));

/** A variable on the cpu backend, wherever tfjs computes just now. */
const variable = (...initial: number[]): tf.Variable => tf.variable(tf.tensor1d(initial));

export function sessionSuite(engine: EngineUnderTest): void {
  describe(`a session of ${engine.name}`, () => {
    let session: Session;
    beforeEach(async () => {
      tf.setBackend('cpu');
      session = await engine.open();
    });
    afterEach(() => {
      session.close();
      tf.disposeVariables();
    });
    const square = () => session.jit(({ x }: { x: tf.Tensor }) => ({ y: tf.square(x) }), { name: 'square' });
    const count = (step = 1) => {
      const total = variable(0);
      session.adopt([total]);
      const fn = session.jit(({ x }: { x: tf.Tensor }) => {
        total.assign(tf.add(total, tf.mul(x, step)));
        return { after: tf.clone(total) };
      });
      return { total, fn };
    };

    describe('running', () => runningTests(() => session, square));
    describe('variables', () => variableTests(() => session, count));
    describe('traces and lifetimes', () => lifetimeTests(() => session, square, count));
    describe('asynchronous runs', () => asynchronousTests(() => session, square, count));
    describe('memory that is lent', () => lendingTests(() => session, square, count));
    describe('memory to be fed from', () => memoryTests(() => session, square));
  });
}

type Square = () => ReturnType<Session['jit']>;
type Count = (step?: number) => { total: tf.Variable; fn: ReturnType<Session['jit']> };

function runningTests(session: () => Session, square: Square): void {
  test('returns results in fresh memory, with type and shape', () => {
    const fn = square();
    const x: HostTensor = { dtype: 'float32', shape: [2, 1], data: Float32Array.of(3, -4) };
    const first = fn.run({ x })['y']!;
    const second = fn.run({ x })['y']!;
    expect(first).toEqual({ dtype: 'float32', shape: [2, 1], data: Float32Array.of(9, 16) });
    expect(second.data).not.toBe(first.data);
  });

  test('writes results into the memory given and returns that', () => {
    const into = { y: floats(0, 0) };
    const { y } = square().run({ x: floats(3, 4) }, into);
    expect(y).toBe(into.y);
    expect(values(into.y)).toEqual([9, 16]);
  });

  test('takes arrays that are views into the middle of a buffer', () => {
    const whole = Float32Array.of(1, 2, 3, 4);
    const x: HostTensor = { dtype: 'float32', shape: [2], data: whole.subarray(1, 3) };
    const y: HostTensor = { dtype: 'float32', shape: [2], data: new Float32Array(4).subarray(2) };
    square().run({ x }, { y });
    expect(values(new Float32Array(y.data.buffer))).toEqual([0, 0, 4, 9]);
  });

  test('passes every type, scalars and empty tensors in and out', () => {
    const fn = session().jit((inputs) => inputs);
    const inputs: Record<string, HostTensor> = {
      float: scalar(1.5),
      int: { dtype: 'int32', shape: [2], data: Int32Array.of(-7, 2 ** 30) },
      bool: { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) },
      empty: { dtype: 'float32', shape: [0, 3], data: new Float32Array(0) },
    };
    expect(fn.run(inputs)).toEqual(inputs);
  });

  test('bytes arrive as int32', () => {
    const fn = session().jit(({ x }) => ({ x: x!, half: tf.div(tf.cast(x!, 'float32'), 2) }));
    const { x, half } = fn.run({ x: { dtype: 'uint8', shape: [2], data: Uint8Array.of(255, 3) } });
    expect(x).toEqual({ dtype: 'int32', shape: [2], data: Int32Array.of(255, 3) });
    expect(values(half)).toEqual([127.5, 1.5]);
  });

  test('the order in which inputs are named does not matter', () => {
    const fn = session().jit(({ a, b }: { a: tf.Tensor; b: tf.Tensor }) => ({ y: tf.sub(a, b) }));
    fn.run({ a: scalar(5), b: scalar(3) });
    expect(values(fn.run({ b: scalar(1), a: scalar(9) }).y)).toEqual([8]);
  });

  test('an input of the wrong size is refused by name, and the next run is right', () => {
    const fn = square();
    const short: HostTensor = { dtype: 'float32', shape: [3], data: Float32Array.of(1, 2) };
    expect(() => fn.run({ x: short })).toThrow(/square: input x of shape \[3\] needs 3 float32 values/);
    expect(values(fn.run({ x: floats(1, 2, 3) })['y'])).toEqual([1, 4, 9]);
  });

  test('memory of the wrong size for a result is refused by name, and the next run is right', () => {
    const fn = square();
    expect(() => fn.run({ x: floats(1, 2, 3) }, { y: floats(0) })).toThrow(/square: result y has/);
    expect(values(fn.run({ x: floats(1, 2, 3) })['y'])).toEqual([1, 4, 9]);
  });

  test('a result that is no tensor is refused by name', () => {
    const fn = session().jit(() => ({ y: 3 as unknown as tf.Tensor }), { name: 'wrong' });
    expect(() => fn.run({})).toThrow('wrong: result y is not a tensor');
  });
}

function variableTests(session: () => Session, count: Count): void {
  test('a function changes them from run to run', () => {
    const { total, fn } = count();
    expect(values(fn.run({ x: floats(2) })['after'])).toEqual([2]);
    expect(values(fn.run({ x: floats(3) })['after'])).toEqual([5]);
    expect(values(session().read([total])[0])).toEqual([5]);
  });

  test('several functions share them: gradients, apply and evaluate', () => {
    const w = variable(1, 2);
    session().adopt([w]);
    type X = { x: tf.Tensor };
    const loss = (x: tf.Tensor): tf.Scalar => tf.sum(tf.square(tf.sub(tf.mul(w, x), 1)));
    const gradients = session().jit(({ x }: X) => {
      const { value, grads } = tf.variableGrads(() => loss(x), [w]);
      return { loss: value, gradient: grads[w.name]! };
    });
    const apply = session().jit(({ gradient }: { gradient: tf.Tensor }) => {
      w.assign(tf.sub(w, tf.mul(gradient, 0.125)));
      return {};
    });
    const evaluate = session().jit(({ x }: X) => ({ loss: loss(x) }));
    const x = floats(2, 2);
    const { loss: before, gradient } = gradients.run({ x });
    expect([values(before), values(gradient)]).toEqual([[10], [4, 12]]);
    expect(apply.run({ gradient })).toEqual({});
    expect(values(session().read([w])[0])).toEqual([0.5, 0.5]);
    expect(values(evaluate.run({ x }).loss)).toEqual([0]);
  });

  test('two models in one session do not disturb each other, and a function may use some variables only', () => {
    const [a, b, idle] = [variable(1), variable(10), variable(100)];
    session().adopt([a, b, idle]);
    const add = (v: tf.Variable) =>
      session().jit(({ x }: { x: tf.Tensor }) => {
        v.assign(tf.add(v, x));
        return { v: tf.clone(v) };
      });
    const [addA, addB] = [add(a), add(b)];
    for (let i = 0; i < 3; i++) {
      addA.run({ x: floats(1) });
      addB.run({ x: floats(2) });
    }
    expect(session().read([a, b, idle]).map(values)).toEqual([[4], [16], [100]]);
  });

  test('a function sees their values as they were when it began', () => {
    const [a, b] = [variable(1), variable(2)];
    session().adopt([a, b]);
    const swap = session().jit(() => {
      const old = tf.clone(a);
      a.assign(b as tf.Tensor);
      b.assign(old);
      return {};
    });
    swap.run({});
    expect(session().read([a, b]).map(values)).toEqual([[2], [1]]);
    swap.run({});
    expect(session().read([a, b]).map(values)).toEqual([[1], [2]]);
  });

  test('what is assigned from an input stays when the next input comes', () => {
    const last = variable(0, 0);
    session().adopt([last]);
    const keep = session().jit(({ x }: { x: tf.Tensor }) => {
      last.assign(tf.reshape(x, [2]));
      return {};
    });
    const peek = session().jit(({ x }: { x: tf.Tensor }) => ({ last: tf.add(last, tf.mul(x, 0)) }));
    keep.run({ x: floats(1, 2) });
    peek.run({ x: floats(8, 9) });
    keep.prepare({ x: floats(5, 5) });
    expect(values(session().read([last])[0])).toEqual([1, 2]);
  });

  test('they are read and written, into memory that is given', () => {
    const { total, fn } = count();
    session().write([total], [Float32Array.of(40)]);
    fn.run({ x: floats(2) });
    const into = new Float32Array(1);
    const [read] = session().read([total], [into]);
    expect(read).toBe(into);
    expect(values(into)).toEqual([42]);
  });

  test('what is written is copied, and what was read is the caller’s', () => {
    const { total } = count();
    const mine = Float32Array.of(7);
    session().write([total], [mine]);
    mine[0] = 8;
    const [read] = session().read([total]);
    read![0] = 9;
    expect(values(session().read([total])[0])).toEqual([7]);
  });

  test('whole numbers and truths are variables too', () => {
    const steps = tf.variable(tf.tensor1d([3, 4], 'int32'));
    const seen = tf.variable(tf.tensor1d([true, false], 'bool'));
    session().adopt([steps, seen]);
    session()
      .jit(() => {
        steps.assign(tf.add(steps, tf.scalar(1, 'int32')));
        seen.assign(tf.logicalNot(seen));
        return {};
      })
      .run({});
    expect(session().read([steps, seen]).map(values)).toEqual([
      [4, 5],
      [0, 1],
    ]);
  });

  test('memory of another size is refused by the variable’s name', () => {
    const { total } = count();
    expect(() => session().write([total], [Float32Array.of(1, 2)])).toThrow(`variable ${total.name} has 1 values`);
    expect(() => session().read([total], [new Float32Array(2)])).toThrow(`variable ${total.name} has 1 values`);
  });

  test('one that was never adopted is refused by name', () => {
    const stranger = variable(1);
    expect(() => session().read([stranger])).toThrow(`variable ${stranger.name} does not belong to this session`);
    expect(() => session().write([stranger], [Float32Array.of(1)])).toThrow('does not belong to this session');
  });

  test('one adopted again keeps its value', () => {
    const { total, fn } = count();
    fn.run({ x: floats(2) });
    session().adopt([total]);
    expect(values(session().read([total])[0])).toEqual([2]);
  });

  test('those that the function makes on its first call belong to the session', () => {
    const w = variable(4);
    session().adopt([w]);
    const optimizer = tf.train.momentum(0.5, 0.5);
    const step = session().jit(() => {
      optimizer.minimize(() => tf.sum(w) as tf.Scalar, false, [w]);
      return {};
    });
    for (let i = 0; i < 3; i++) step.run({});
    // Velocities 1, 1.5, 1.75.
    expect(values(session().read([w])[0])).toEqual([4 - 0.5 * (1 + 1.5 + 1.75)]);
    optimizer.dispose();
  });

  test('also where the function was prepared before', () => {
    const w = variable(4);
    session().adopt([w]);
    const known = new Set(Object.values(tf.engine().registeredVariables));
    const optimizer = tf.train.momentum(0.5, 0.5);
    const step = session().jit(() => {
      optimizer.minimize(() => tf.sum(w) as tf.Scalar, false, [w]);
      return {};
    });
    step.prepare({});
    for (let i = 0; i < 3; i++) step.run({});
    const made = Object.values(tf.engine().registeredVariables).filter((v) => !known.has(v));
    expect(session().read(made).map(values)).toEqual([[1.75]]);
    optimizer.dispose();
  });
}

function lifetimeTests(session: () => Session, square: Square, count: Count): void {
  test('a trace is made once for each set of shapes and types', () => {
    const fn = square();
    expect(fn.traces).toBe(0);
    expect(fn.prepare({ x: floats(1, 2) })).toBeGreaterThanOrEqual(0);
    fn.run({ x: floats(1, 2) });
    fn.run({ x: floats(3, 4) });
    expect(fn.traces).toBe(1);
    fn.run({ x: floats(1, 2, 3) });
    fn.run({ x: { dtype: 'int32', shape: [2], data: Int32Array.of(1, 2) } });
    fn.run({ x: floats(5, 6) });
    expect(fn.traces).toBe(3);
  });

  test('preparing changes no variable', () => {
    const { total, fn } = count();
    fn.prepare({ x: floats(5) });
    expect(values(session().read([total])[0])).toEqual([0]);
  });

  test('more sets of shapes than allowed are refused with name, shapes and remedy; known ones still run', () => {
    const fn = session().jit(({ x }: { x: tf.Tensor }) => ({ y: tf.neg(x) }), { name: 'negate', maxTraces: 2 });
    fn.run({ x: floats(1) });
    fn.run({ x: floats(1, 2) });
    expect(() => fn.run({ x: floats(1, 2, 3) })).toThrow(
      /negate: called with more than 2 sets of shapes, the newest x:float32\[3\], before it x:float32\[2\]; .*maxTraces/,
    );
    expect(values(fn.run({ x: floats(1) }).y)).toEqual([-1]);
  });

  test('a function that throws passes its error on and leaves the variables as they were', () => {
    const { total, fn: add } = count();
    const outside = values(total.dataSync() as Float32Array);
    const fail = session().jit(() => {
      total.assign(tf.add(total, 100));
      throw new Error('of the function');
    });
    expect(() => fail.run({})).toThrow('of the function');
    expect(values(total.dataSync() as Float32Array)).toEqual(outside);
    expect(values(add.run({ x: floats(1) })['after'])).toEqual([1]);
  });

  test('a disposed function runs no more; its variables stay; disposing twice is harmless', () => {
    const { total, fn } = count();
    fn.run({ x: floats(2) });
    fn.dispose();
    fn.dispose();
    expect(() => fn.run({ x: floats(2) })).toThrow('was disposed');
    expect(values(session().read([total])[0])).toEqual([2]);
  });

  test('a closed session refuses every call; closing twice is harmless', () => {
    const { total, fn } = count();
    fn.run({ x: floats(2) });
    session().close();
    session().close();
    fn.dispose();
    for (const call of [
      () => fn.run({ x: floats(2) }),
      () => session().read([total]),
      () => session().write([total], [Float32Array.of(1)]),
      () => session().adopt([total]),
      () => square(),
    ])
      expect(call).toThrow(/closed|disposed/);
  });

  test('running leaves no tensors behind', () => {
    const { fn } = count();
    fn.run({ x: floats(2) });
    const { numTensors } = tf.memory();
    for (let i = 0; i < 5; i++) fn.run({ x: floats(2) });
    expect(tf.memory().numTensors).toBe(numTensors);
  });

  test('the active backend of TensorFlow.js is left as it was', () => {
    const { fn } = count();
    fn.run({ x: floats(2) });
    expect(tf.getBackend()).toBe('cpu');
  });
}

function asynchronousTests(session: () => Session, square: Square, count: Count): void {
  test('they give what synchronous ones give', async () => {
    const { fn } = count();
    expect(values((await fn.runAsync({ x: floats(2) }))['after'])).toEqual([2]);
    const into = { after: floats(0) };
    expect((await fn.runAsync({ x: floats(3) }, into))['after']).toBe(into.after);
    expect(values(into.after)).toEqual([5]);
    expect(values(fn.run({ x: floats(4) })['after'])).toEqual([9]);
  });

  test('every other call is refused meanwhile, and nothing is harmed', async () => {
    const { total, fn } = count();
    const other = square();
    const running = fn.runAsync({ x: floats(2) });
    for (const call of [
      () => fn.run({ x: floats(2) }),
      () => other.run({ x: floats(2) }),
      () => fn.dispose(),
      () => session().read([total]),
      () => session().write([total], [Float32Array.of(1)]),
      () => session().close(),
    ])
      expect(call).toThrow(/busy with an asynchronous run; await it first/);
    await expect(fn.runAsync({ x: floats(2) })).rejects.toThrow('busy');
    expect(values((await running)['after'])).toEqual([2]);
    expect(values(fn.run({ x: floats(1) })['after'])).toEqual([3]);
  });

  test('a wrong input rejects, and the session goes on', async () => {
    const fn = square();
    await expect(fn.runAsync({ x: { ...floats(1), shape: [2] } })).rejects.toThrow('input x');
    expect(values((await fn.runAsync({ x: floats(3) }))['y'])).toEqual([9]);
  });
}

function lendingTests(session: () => Session, square: Square, count: Count): void {
  test('results can be read while they are lent, with type and shape, and what `use` returns is passed on', async () => {
    const fn = session().jit((inputs) => inputs);
    const inputs: Record<string, HostTensor> = {
      float: scalar(1.5),
      int: { dtype: 'int32', shape: [2, 1], data: Int32Array.of(-7, 2 ** 30) },
      bool: { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) },
      empty: { dtype: 'float32', shape: [0, 3], data: new Float32Array(0) },
    };
    const copied = await fn.runLending(inputs, async (results) => {
      await Promise.resolve();
      return structuredClone(Object.fromEntries(Object.entries(results).map(([name, t]) => [name, { ...t }])));
    });
    expect(copied).toEqual(inputs);
  });

  test('afterwards they are gone, also where `use` fails, and the session goes on', async () => {
    const fn = square();
    let kept: HostTensor | undefined;
    const keep = (results: Record<string, HostTensor>): void => {
      kept = results['y'];
    };
    await fn.runLending({ x: floats(3) }, keep);
    expect(() => kept?.data).toThrow('square: its lent results: this memory was freed');
    await expect(
      fn.runLending({ x: floats(4) }, (results) => {
        keep(results);
        throw new Error('of the user');
      }),
    ).rejects.toThrow('of the user');
    expect(() => kept?.data).toThrow('this memory was freed');
    expect(values((await fn.runAsync({ x: floats(5) }))['y'])).toEqual([25]);
    session().close();
  });

  test('other runs go on meanwhile, the function’s own too, and do not touch what is lent', async () => {
    const { total, fn } = count();
    const other = square();
    await fn.runLending({ x: floats(2) }, async ({ after }) => {
      expect(values(fn.run({ x: floats(3) })['after'])).toEqual([5]);
      session().write([total], [Float32Array.of(40)]);
      expect(values((await other.runAsync({ x: floats(7) }))['y'])).toEqual([49]);
      expect(values(after)).toEqual([2]);
    });
    expect(values(session().read([total])[0])).toEqual([40]);
  });

  test('a variable’s value that is lent stays while the variable moves on', async () => {
    const { total } = count();
    const take = session().jit(() => {
      const sum = tf.clone(total);
      total.assign(tf.zerosLike(total));
      return { sum };
    });
    session().write([total], [Float32Array.of(7)]);
    await take.runLending({}, ({ sum }) => {
      expect(values(sum)).toEqual([7]);
      expect(values(session().read([total])[0])).toEqual([0]);
      session().write([total], [Float32Array.of(9)]);
      expect(values(sum)).toEqual([7]);
    });
  });

  test('neither session nor function can be closed meanwhile; another function can', async () => {
    const { fn } = count();
    const other = square();
    await fn.runLending({ x: floats(2) }, ({ after }) => {
      expect(() => session().close()).toThrow('the session cannot be closed: results are lent out; await their use first');
      expect(() => fn.dispose()).toThrow('cannot be disposed of: its results are lent out; await their use first');
      other.dispose();
      expect(values(after)).toEqual([2]);
    });
    fn.dispose();
  });

  test('while it computes every other call is refused, as in any asynchronous run', async () => {
    const { fn } = count();
    const lending = fn.runLending({ x: floats(2) }, ({ after }) => values(after));
    expect(() => fn.run({ x: floats(1) })).toThrow('busy');
    expect(() => fn.memory({ x: floats(1) })).toThrow('busy');
    await expect(fn.runLending({ x: floats(1) }, () => 0)).rejects.toThrow('busy');
    expect(await lending).toEqual([2]);
  });
}

function memoryTests(session: () => Session, square: Square): void {
  const spec = { dtype: 'float32', shape: [2] } as const;

  test('a run takes what was written there; ordinary inputs may take turns with it', async () => {
    const fn = session().jit(({ a, b }: { a: tf.Tensor; b: tf.Tensor }) => ({ y: tf.sub(a, b) }));
    const { a, b } = fn.memory({ a: spec, b: spec });
    expect(fn.traces).toBe(1);
    a.data.set([5, 6]);
    b.data.set([1, 2]);
    expect(values(fn.run({ a, b }).y)).toEqual([4, 4]);
    a.data.set([7, 8]);
    expect(values((await fn.runAsync({ a, b })).y)).toEqual([6, 6]);
    expect(values(fn.run({ a: floats(1, 1), b }).y)).toEqual([0, -1]);
    expect(fn.memory({ a: spec, b: spec }).b.data).toEqual(b.data);
    a.data.set([2, 2]);
    expect(await fn.runLending({ a, b }, ({ y }) => values(y))).toEqual([1, 0]);
    expect(fn.traces).toBe(1);
  });

  test('it is of its own for each set of shapes', () => {
    const fn = square();
    const pair = fn.memory({ x: spec })['x']!;
    const single = fn.memory({ x: { dtype: 'int32', shape: [1] } })['x']!;
    pair.data.set([2, 3]);
    single.data.set([4]);
    expect(values(fn.run({ x: pair })['y'])).toEqual([4, 9]);
    expect(fn.run({ x: single })['y']).toEqual({ dtype: 'int32', shape: [1], data: Int32Array.of(16) });
    expect(fn.traces).toBe(2);
  });

  test('more sets of shapes than allowed are refused', () => {
    const fn = session().jit(({ x }: { x: tf.Tensor }) => ({ y: tf.neg(x) }), { name: 'negate', maxTraces: 1 });
    fn.memory({ x: spec });
    expect(() => fn.memory({ x: { dtype: 'float32', shape: [3] } })).toThrow('negate: called with more than 1 sets of shapes');
  });

  test('it is gone with the function or the session, and no longer asked for', () => {
    const [first, second] = [square(), square()];
    const [x, y] = [first.memory({ x: spec })['x']!, second.memory({ x: spec })['x']!];
    first.dispose();
    expect(() => x.data).toThrow('square: the memory it is fed from: this memory was freed');
    expect(() => first.memory({ x: spec })).toThrow('was disposed');
    session().close();
    expect(() => y.data).toThrow('this memory was freed');
    expect(() => second.memory({ x: spec })).toThrow('closed');
  });
}
