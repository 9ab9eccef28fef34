// The compiled engine's sessions: the contract, and what only a compiler can get wrong.
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sessionSuite } from '../../trainer/src/jit/conformance/session-suite.js';
import type { StepFunction } from '../../trainer/src/jit/contract.js';
import type { TensorFlowSession } from '../../trainer/src/jit/session.js';
import { noLibrary } from '../support/library.js';
import { openCompiled, threadsOf } from './compiled.js';

describe.skipIf(noLibrary)('with the native library', () => {
  sessionSuite({ name: 'the compiled engine', open: openCompiled });
});

const floats = (...values: number[]) => ({ dtype: 'float32' as const, shape: [values.length], data: Float32Array.from(values) });
const x = floats(1, 2, 3);

describe.skipIf(noLibrary)('what cannot be compiled', () => {
  let session: TensorFlowSession;
  const warnings: string[] = [];
  beforeEach(async () => {
    tf.setBackend('cpu');
    warnings.length = 0;
    session = await openCompiled({}, (line) => warnings.push(line));
  });
  afterEach(() => {
    session.close();
    tf.disposeVariables();
  });
  const run = (fn: StepFunction) => session.jit(fn, { name: 'step' }).run({ x });
  const one = (fn: (x: tf.Tensor) => tf.Tensor) => run(({ x }) => ({ y: fn(x!) }));

  test('a tensor made outside is refused with the op that uses it and its shape', () => {
    const outside = tf.tensor1d([1, 2, 3]);
    expect(() => one((x) => tf.mul(x, outside))).toThrow(
      /step: op Mul uses a tensor of shape \[3\] that was made outside the traced function/,
    );
    expect(() => one(() => tf.clone(outside))).toThrow(/step: op Identity uses a tensor of shape \[3\]/);
    expect(Array.from(outside.dataSync())).toEqual([1, 2, 3]);
    outside.dispose();
  });

  test('a single number made outside is a constant', () => {
    const half = tf.scalar(0.5);
    expect(one((x) => tf.mul(x, half))['y']!.data).toEqual(Float32Array.of(0.5, 1, 1.5));
    expect(half.dataSync()[0]).toBe(0.5);
    half.dispose();
  });

  test('a tensor of another trace is refused', () => {
    let kept: tf.Tensor | undefined;
    one((x) => {
      kept = tf.keep(tf.neg(x));
      return x;
    });
    expect(() => one((x) => tf.add(x, kept!))).toThrow(/step: op Add uses a value that was made in another trace/);
  });

  test('data read inside is refused with the op whose result it is', () => {
    expect(() => one((x) => tf.scalar(tf.exp(x).dataSync()[0]!))).toThrow(/step: the result of op Exp was read inside/);
    const v = tf.variable(tf.tensor1d([1]), true, 'weights');
    expect(() => one(() => tf.scalar(v.dataSync()[0]!))).toThrow(/step: variable weights was read inside/);
  });

  test('randomness of JavaScript is refused with the op that draws', () => {
    for (const [name, draw] of Object.entries({
      randomNormal: () => tf.randomNormal([3]),
      randomUniform: () => tf.randomUniform([3]),
      truncatedNormal: () => tf.truncatedNormal([3]),
      dropout: (x: tf.Tensor) => tf.dropout(x, 0.5),
      multinomial: (x: tf.Tensor) => tf.multinomial(x as tf.Tensor1D, 2),
    }))
      expect(() => one(draw), name).toThrow(/step: op \w+ draws random numbers in JavaScript/);
  });

  test('an op that TensorFlow does not know is refused by name', () => {
    tf.registerKernel({
      kernelName: 'Unheard',
      backendName: 'tensorflow',
      kernelFunc: ({ inputs, backend }) =>
        (backend as unknown as { executeSingleOutput(...args: unknown[]): tf.TensorInfo }).executeSingleOutput(
          'Unheard',
          [],
          [inputs['x']],
        ),
    });
    expect(() => one((x) => tf.engine().runKernel('Unheard', { x }) as tf.Tensor)).toThrow(/op Unheard/);
    tf.unregisterKernel('Unheard', 'tensorflow');
  });

  test('a result whose shape depends on data is refused with the op', async () => {
    expect(() => one((x) => tf.unique(x).values)).toThrow(/op Unique\w*: the shape of its result depends on data/);
    let masked: Promise<unknown> | undefined;
    const mask = (x: tf.Tensor): tf.Tensor => {
      masked = tf.booleanMaskAsync(x, tf.greater(x, 1)).catch((error: Error) => error.message);
      return x;
    };
    one(mask);
    expect(await masked).toMatch(/read inside the traced function|TensorFlow runs compiled functions only/);
  });

  test('a constant over 1 MB is warned of with the op and its size; one below is not', () => {
    const values = Float32Array.from({ length: 300_000 }, (_, i) => i);
    one((x) => tf.add(x, tf.sum(tf.tensor1d(values.subarray(0, 200_000)))));
    expect(warnings).toEqual([]);
    one((x) => tf.add(x, tf.sum(tf.tensor1d(values))));
    expect(warnings).toEqual([expect.stringMatching(/step: op \w+ bakes 1\.1 MB into the graph/)]);
  });

  test('a large constant of equal numbers takes no room and no warning', () => {
    one((x) => tf.add(x, tf.sum(tf.ones([1000, 1000]))));
    expect(warnings).toEqual([]);
  });

  test('a compiled function inside another’s trace is refused', () => {
    const inner = session.jit(({ x }: { x: tf.Tensor }) => ({ y: tf.neg(x) }));
    expect(() => one(() => tf.tensor(inner.run({ x }).y.data))).toThrow(/cannot be called inside another one's trace/);
  });

  test('an op outside of any compiled function is refused', () => {
    const previous = tf.getBackend();
    tf.setBackend('tensorflow');
    try {
      expect(() => tf.add(1, 2)).toThrow(/call this inside a function given to jit/);
    } finally {
      tf.setBackend(previous);
    }
  });

  test('a variable made from an input is refused by name', () => {
    expect(() => one((x) => tf.variable(x, true, 'fresh'))).toThrow(
      /variable fresh is made inside the function from a value that depends/,
    );
  });

  test('an error while running names the function and the cause, and the session goes on', async () => {
    const pick = session.jit(({ i }: { i: tf.Tensor }) => ({ y: tf.gather(tf.tensor1d([1, 2, 3]), i as tf.Tensor1D) }), {
      name: 'pick',
    });
    const index = (value: number) => ({ i: { dtype: 'int32' as const, shape: [1], data: Int32Array.of(value) } });
    expect(() => pick.run(index(3))).toThrow(/pick: .*indices\[0\] = 3 is not in \[0, 3\)/);
    await expect(pick.runAsync(index(-1))).rejects.toThrow(/pick: .*indices\[0\] = -1/);
    expect(pick.run(index(2)).y.data).toEqual(Float32Array.of(3));
    expect((await pick.runAsync(index(1))).y.data).toEqual(Float32Array.of(2));
  });

  test('a step that fails leaves the variables as they were', () => {
    const v = tf.variable(tf.tensor1d([1]));
    const fail = session.jit(({ i }: { i: tf.Tensor }) => {
      v.assign(tf.add(v, tf.gather(tf.tensor1d([1, 2, 3]), i as tf.Tensor1D)));
      return {};
    });
    expect(() => fail.run({ i: { dtype: 'int32', shape: [1], data: Int32Array.of(9) } })).toThrow('indices');
    expect(session.read([v])[0]).toEqual(Float32Array.of(1));
  });

  test('a device that is not there is refused', async () => {
    await expect(openCompiled({ device: '/device:GPU:7' })).rejects.toThrow(
      'this machine has no /device:GPU:7; TensorFlow finds /device:CPU:0',
    );
  });
});

describe.skipIf(noLibrary)('threads', () => {
  test('a session has as many threads for one op as it was given, and they end with it', async () => {
    const before = threadsOf();
    const session = await openCompiled({ intraOpThreads: 7, interOpThreads: 3 });
    const fn = session.jit(({ x }: { x: tf.Tensor }) => ({ y: tf.matMul(x as tf.Tensor2D, x as tf.Tensor2D) }));
    fn.run({ x: { dtype: 'float32', shape: [64, 64], data: new Float32Array(4096) } });
    const during = threadsOf();
    session.close();
    expect(during - before).toBeGreaterThanOrEqual(9);
    expect(threadsOf() - before).toBeLessThanOrEqual(1);
  });
});
