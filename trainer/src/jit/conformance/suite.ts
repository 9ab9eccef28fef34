// Runs the conformance table against an engine, as vitest tests: two a case, its results and its gradients.
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import type { HostTensor, HostTensors, JitOptions, Session, SessionOptions, StepFunction, Tensors } from '../contract.js';
import { type AnyTensor, type ConformanceCase, makeInput, real } from './case.js';
import { CASES } from './cases.js';
import { difference } from './compare.js';
import { expected } from './oracle.js';

/** An engine, and how its functions are to be compiled. */
export interface EngineUnderTest {
  readonly name: string;
  readonly open: (options?: SessionOptions) => Session | Promise<Session>;
  readonly jit?: JitOptions;
}

/** Tests that fail with this engine, by name, and why. One that passes after all is reported: the list stays true. */
export type KnownGaps = Readonly<Record<string, string>>;

/**
 * @example conformanceSuite({ name: 'wasm', open: () => openWasmSession() }, { 'erf: gradient': 'the backend has no erf' });
 */
export function conformanceSuite(engine: EngineUnderTest, gaps: KnownGaps = {}, cases: readonly ConformanceCase[] = CASES): void {
  const tests = cases.flatMap((c) => [
    { name: c.name, check: (session: Session) => checkResults(session, engine, c) },
    ...(differentiable(c).length > 0
      ? [{ name: `${c.name}: gradient`, check: (session: Session) => checkGradients(session, engine, c) }]
      : []),
  ]);
  describe(`${engine.name} equals the oracle`, () => {
    test('each case has a name of its own, and each known gap names a test', () => {
      const names = tests.map((t) => t.name);
      expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
      expect(Object.keys(gaps).filter((name) => !names.includes(name))).toEqual([]);
    });

    for (const { name, check } of tests) {
      // A session each: it keeps every function it ever compiled, and its runs grow slower with them.
      const run = () => withSession(engine, check);
      if (name in gaps) test.fails(`${name} (known gap: ${gaps[name]})`, run);
      else test(name, run);
    }
  });
}

async function withSession(engine: EngineUnderTest, check: (session: Session) => void): Promise<void> {
  const session = await engine.open();
  try {
    check(session);
  } finally {
    session.close();
  }
}

function checkResults(session: Session, engine: EngineUnderTest, c: ConformanceCase): void {
  checkSame(session, engine, { c, step: (fn) => (inputs) => named(fn(inputs)), inputs: inputsOf(c) });
}

/** Compares the gradients of a weighted sum of all results; the weights, one a value, tell the values apart. */
function checkGradients(session: Session, engine: EngineUnderTest, c: ConformanceCase): void {
  const inputs = inputsOf(c);
  const results = expected((given) => named(c.fn(given)), inputs);
  const weights = Object.entries(results)
    .filter(([, result]) => result.dtype === 'float32')
    .map(([name, { shape }]) => [`weights of ${name}`, makeInput(c.name, name, real(...shape))] as const);
  const step: Comparison['step'] = (fn) => (given) => gradients(fn, differentiable(c), given);
  checkSame(session, engine, { c, step, inputs: { ...inputs, ...Object.fromEntries(weights) } });
}

function gradients(fn: ConformanceCase['fn'], by: readonly string[], given: Tensors): Tensors {
  const weighted = (...values: tf.Tensor[]): tf.Scalar => {
    const results = named(fn({ ...given, ...Object.fromEntries(by.map((name, i) => [name, values[i]!])) }));
    const terms = Object.entries(results).flatMap(([name, result]) => {
      const weights = given[`weights of ${name}`];
      return weights ? [tf.sum(tf.mul(result, weights))] : [];
    });
    return tf.addN(terms) as tf.Scalar;
  };
  const found = tf.grads(weighted)(by.map((name) => given[name]!));
  return Object.fromEntries(by.map((name, i) => [`gradient by ${name}`, found[i]!]));
}

interface Comparison {
  readonly c: ConformanceCase;
  /** What is compared of the case's function: its results or its gradients. */
  readonly step: (fn: ConformanceCase['fn']) => StepFunction;
  readonly inputs: HostTensors;
}

function checkSame(session: Session, engine: EngineUnderTest, { c, step, inputs }: Comparison): void {
  const wanted = expected(step(c.reference ?? c.fn), inputs);
  const compiled = session.jit(step(c.fn), { ...engine.jit, name: c.name });
  try {
    const actual = compiled.run(inputs);
    const wrong = Object.entries(wanted).flatMap(([name, value]) => {
      const what = difference(actual[name]!, value, c.tolerance);
      return what ? [`${name}: ${what}`] : [];
    });
    expect(wrong).toEqual([]);
    expect(Object.keys(actual)).toEqual(Object.keys(wanted));
  } finally {
    compiled.dispose();
  }
}

const inputsOf = (c: ConformanceCase): Record<string, HostTensor> =>
  Object.fromEntries(Object.entries(c.inputs).map(([name, input]) => [name, makeInput(c.name, name, input)]));

const named = (result: AnyTensor | readonly AnyTensor[]): Tensors => {
  const list = result instanceof tf.Tensor ? [result] : result;
  return Object.fromEntries(list.map((tensor, i) => [`result ${i}`, tensor]));
};

function differentiable({ gradient, inputs }: ConformanceCase): readonly string[] {
  if (gradient === 'none') return [];
  return gradient ?? Object.keys(inputs).filter((name) => inputs[name]!.dtype === 'float32');
}
