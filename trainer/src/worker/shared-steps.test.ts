import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Contribution, ExchangeMemory, ExchangeTimes } from '../allreduce/contract.js';
import { openWasmSession } from '../fallback/session.js';
import type { Compiled, Session } from '../jit/contract.js';
import type { SharedRequest } from './shared-steps.js';
import type { Learner } from './step.js';
import { drawBatch, referenceExchanges, split, type TestNet, testLearner, weightsOf } from './test-ranks.js';

// Against one rank on the whole batch, on every engine: tests/parity/data-parallel.test.ts.

const LR = 0.05;
const NET: TestNet = { norm: 'batch' };
const TIMES: ExchangeTimes = { packMs: 1, waitMs: 2, reduceMs: 3, unpackMs: 4 };

let session: Session;
beforeEach(async () => {
  session = await openWasmSession();
});
afterEach(() => {
  session.close();
  tf.disposeVariables();
});

/** The exchange of a rank that is alone. */
const alone = async (contribution: Contribution, into: ExchangeMemory): Promise<ExchangeTimes> => {
  for (const part of ['gradients', 'exact'] as const)
    for (const [i, array] of into[part].entries()) array.set(contribution[part][i]!);
  return TIMES;
};

/** A step on a drawn batch in parts of these sizes. */
const stepOf = (sizes: readonly number[], seed = 1): SharedRequest => {
  const examples = sizes.reduce((sum, size) => sum + size, 0);
  return { batches: split(drawBatch(examples, seed), sizes).flat(), examples, lr: LR, exchange: alone };
};

/** Weights after these steps of a rank that nothing happened to. */
async function undisturbed(...steps: readonly SharedRequest[]): Promise<Record<string, Float32Array>> {
  const learner = testLearner(session, NET);
  for (const step of steps) await learner.trainShared(step);
  return weightsOf(session, learner);
}

/** A session that says which of its functions were traced. */
function watched(compiled: Compiled[]): Session {
  const jit: Session['jit'] = (fn, options) => {
    const made = session.jit(fn, options);
    compiled.push(made as Compiled);
    return made as never;
  };
  return new Proxy(session, {
    get: (target, key) => {
      if (key === 'jit') return jit;
      const value = Reflect.get(target, key, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe('a step that ranks share', () => {
  it('is laid out as trained parameters in their order, and one vector of loss, right ones and statistics', () => {
    const learner = testLearner(session, { norm: 'batch', isFrozen: (name) => name.startsWith('layer1.') });
    const trained = Object.values(learner.velocities).map(({ size }) => size);
    const statistics = Object.entries(learner.values).filter(([name]) => name.includes('.running_'));
    expect(learner.layout).toEqual({ gradients: trained, exact: [2 + statistics.reduce((sum, [, { size }]) => sum + size, 0)] });
    expect(testLearner(session, { norm: 'none' }).layout.exact).toEqual([2]);
  });

  it('hands over its means with the number of its examples, and room for the mean of the same layout', async () => {
    const learner = testLearner(session, NET);
    const handed: { contribution: Contribution; into: ExchangeMemory }[] = [];
    const lengths = ({ gradients, exact }: ExchangeMemory) => ({
      gradients: gradients.map((a) => a.length),
      exact: exact.map((a) => a.length),
    });
    const exchange = async (contribution: Contribution, into: ExchangeMemory): Promise<ExchangeTimes> => {
      expect([lengths(contribution), lengths(into)]).toEqual([learner.layout, learner.layout]);
      handed.push(structuredClone({ contribution, into }));
      return alone(contribution, into);
    };
    const outcome = await learner.trainShared({ ...stepOf([4]), exchange });
    await learner.trainShared({ ...stepOf([2, 3]), exchange });
    await learner.trainShared({ batches: [], examples: 7, lr: LR, exchange });
    expect(handed.map(({ contribution }) => contribution.examples)).toEqual([4, 5, 0]);
    expect(handed[0]!.contribution.exact[0]![0]).toBe(outcome.loss);
    expect(handed[0]!.contribution.exact[0]![1]! * 4).toBe(outcome.correct);
    expect(outcome.times).toBe(TIMES);
    expect(outcome.computeMs).toBeGreaterThan(0);
    expect(outcome.applyMs).toBeGreaterThan(0);
  });

  it('counts the right ones of all ranks as a whole number, whatever the mean is rounded to', async () => {
    const learner = testLearner(session, NET);
    const mean = async (contribution: Contribution, into: ExchangeMemory): Promise<ExchangeTimes> => {
      await alone(contribution, into);
      into.exact[0]![1] = 1234 / 4099;
      return TIMES;
    };
    expect((await learner.trainShared({ ...stepOf([4]), examples: 4099, exchange: mean })).correct).toBe(1234);
  });

  it('leaves frozen parameters as they are and moves their norms’ statistics, as a step alone does', async () => {
    const net: TestNet = { norm: 'batch', isFrozen: (name) => name.startsWith('layer1.') };
    const [shared, fused] = [testLearner(session, net), testLearner(session, net)];
    const before = weightsOf(session, shared);
    await shared.trainShared(stepOf([4]));
    await fused.train(drawBatch(4, 1), LR);
    const after = weightsOf(session, shared);
    expect(after).toEqual(weightsOf(session, fused));
    expect(after['value layer1.0.conv1.weight']).toEqual(before['value layer1.0.conv1.weight']);
    expect(after['value layer1.0.bn1.running_mean']).not.toEqual(before['value layer1.0.bn1.running_mean']);
    expect(after['value fc.weight']).not.toEqual(before['value fc.weight']);
  });

  it('changes nothing where the exchange fails, and the next step is right', async () => {
    const learner = testLearner(session, NET);
    const before = weightsOf(session, learner);
    const exchange = (): Promise<never> => Promise.reject(new Error('of the exchange'));
    for (const sizes of [[4], [2, 2], []])
      await expect(learner.trainShared({ ...stepOf(sizes), exchange })).rejects.toThrow('of the exchange');
    expect(weightsOf(session, learner)).toEqual(before);
    for (const sizes of [[4], [2, 2]]) await learner.trainShared(stepOf(sizes));
    expect(weightsOf(session, learner)).toEqual(await undisturbed(stepOf([4]), stepOf([2, 2])));
  });

  it('changes nothing where one of several parts fails, and the next step is right', async () => {
    const learner = testLearner(session, NET);
    const before = weightsOf(session, learner);
    const step = stepOf([2, 2]);
    const short = { ...step.batches[1]!, images: { ...step.batches[1]!.images, data: new Uint8Array(5) } };
    await expect(learner.trainShared({ ...step, batches: [step.batches[0]!, short] })).rejects.toThrow('input images');
    expect(weightsOf(session, learner)).toEqual(before);
    await learner.trainShared(step);
    expect(weightsOf(session, learner)).toEqual(await undisturbed(step));
  });

  it('forgets what it accumulated once the step is over', async () => {
    const learner = testLearner(session, NET);
    const { exchanges, seen } = referenceExchanges(1);
    const step = { ...stepOf([2, 3]), lr: 0, exchange: exchanges[0]! };
    await learner.trainShared(step);
    const first = seen[0];
    await learner.trainShared(step);
    expect(seen[0]!.gradients).toEqual(first!.gradients);
  });
});

describe('what a rank pays for', () => {
  let compiled: Compiled[];
  let learner: Learner;
  beforeEach(() => {
    compiled = [];
    learner = testLearner(watched(compiled), NET);
  });
  const traced = (): string[] => compiled.filter((fn) => fn.traces > 0).map((fn) => fn.name);

  it('alone: the fused graph', async () => {
    await learner.train(drawBatch(4, 1), LR);
    expect(traced()).toEqual(['resnet_train']);
  });

  it('among others: gradients and update, and no memory to accumulate in', async () => {
    const variables = Object.keys(tf.engine().registeredVariables).length;
    await learner.trainShared(stepOf([4]));
    expect(traced()).toEqual(['resnet_gradients', 'resnet_apply']);
    expect(Object.keys(tf.engine().registeredVariables)).toHaveLength(variables);
  });

  it('in parts: one graph for all of them, and its memory is freed in the end', async () => {
    await learner.trainShared(stepOf([2, 2, 2]));
    expect(traced()).toEqual(['resnet_accumulate', 'resnet_sums', 'resnet_apply']);
    learner.dispose();
    expect(Object.keys(tf.engine().registeredVariables)).toHaveLength(0);
  });
});
