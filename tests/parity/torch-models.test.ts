// Every engine against PyTorch: logits, gradients, running statistics and steps of SGD of small networks, with its weights.
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, test } from 'vitest';
import { openWasmSession } from '../../trainer/src/fallback/session.js';
import type { Compiled, HostTensor, Precision, Session, Tensors } from '../../trainer/src/jit/contract.js';
import type { Model } from '../../trainer/src/nn/contract.js';
import { crossEntropy } from '../../trainer/src/nn/loss.js';
import { createModel } from '../../trainer/src/nn/models.js';
import { relativeError } from '../../trainer/src/nn/oracle.js';
import {
  caseOptions,
  caseTitle,
  fromTorch,
  type TorchCase,
  torchFixture,
  torchValues,
  unpack,
} from '../../trainer/src/nn/torch-fixture.js';
import { sgdUpdate } from '../../trainer/src/optim/sgd.js';
import { openCompiled } from '../conformance/compiled.js';
import { noLibrary } from '../support/library.js';

interface Engine {
  readonly name: string;
  readonly open: () => Promise<Session>;
  /** Why it cannot be had here. */
  readonly missing?: string | undefined;
}

const ENGINES: readonly Engine[] = [
  { name: 'the compiled engine', open: openCompiled, missing: noLibrary },
  { name: 'the WebAssembly engine', open: openWasmSession },
];

// Of the largest value of a tensor. PyTorch's values are float64; rounding to float32 (6e-8) through 18 layers forward and back
// and three steps of SGD gives up to 1e-4.
const TOLERANCE = 2e-4;
// bfloat16 rounds by 4e-3 an operation, which four small images let through to single gradients: the losses must follow.
const LOW_TOLERANCE = 0.1;

const fixture = torchFixture();
const host = (dtype: 'float32' | 'int32', shape: readonly number[], data: Float32Array | Int32Array): HostTensor => ({
  dtype,
  shape,
  data,
});
const images = host('float32', fixture.images.shape, unpack(fixture.images).data);
const labels = host('int32', [fixture.labels.length], Int32Array.from(fixture.labels));
const lr = host('float32', [], Float32Array.of(fixture.sgd.lr));

interface Trained {
  readonly model: Model;
  readonly values: Record<string, tf.Variable>;
  readonly velocities: Record<string, tf.Variable>;
}

function variables(each: TorchCase): Trained {
  tf.setBackend('cpu');
  const model = createModel(caseOptions(fixture, each));
  const initial = Object.entries(torchValues(model.initialize(0), fixture.weights[each.family]));
  const make = (zero: boolean) =>
    initial.map(([name, { shape, data, trainable }]) => {
      const value = zero ? new Float32Array(data.length) : data;
      return [name, tf.variable(tf.tensor(value, [...shape]), trainable)] as const;
    });
  return {
    model,
    values: Object.fromEntries(make(false)),
    velocities: Object.fromEntries(make(true).filter(([, variable]) => variable.trainable)),
  };
}

/** One step of SGD; the loss before it, and every gradient by its parameter's name. */
function trainStep({ model, values, velocities }: Trained, smoothing: number, inputs: Tensors): Tensors {
  const names = Object.keys(velocities);
  const { value: loss, grads } = tf.variableGrads(
    () =>
      crossEntropy(model.apply(values, inputs['images'] as tf.Tensor4D, true), inputs['labels'] as tf.Tensor1D, smoothing).loss,
    names.map((name) => values[name]!),
  );
  const { momentum, weight_decay: weightDecay } = fixture.sgd;
  const byName = Object.fromEntries(names.map((name) => [name, grads[values[name]!.name]!]));
  for (const [name, gradient] of Object.entries(byName)) {
    const [parameter, velocity] = [values[name]!, velocities[name]!];
    const state = { parameter, velocity, gradient, lr: inputs['lr'] as tf.Scalar };
    const next = sgdUpdate(state, { momentum, weightDecay, decayNorm: true });
    velocity.assign(next.velocity);
    parameter.assign(next.parameter);
  }
  return { loss, ...byName };
}

let session: Session | undefined;
afterEach(() => {
  session?.close();
  tf.disposeVariables();
});

interface Functions {
  readonly evaluate: Compiled<{ logits: tf.Tensor2D }>;
  readonly train: Compiled;
  /** A parameter's or statistic's value just now. */
  readonly read: (name: string) => ArrayLike<number>;
}

async function start(open: Engine['open'], each: TorchCase, precision: Precision): Promise<Functions> {
  const opened = await open();
  session = opened;
  const trained = variables(each);
  const { model, values, velocities } = trained;
  opened.adopt([...Object.values(values), ...Object.values(velocities)]);
  return {
    evaluate: opened.jit(({ images }: { images: tf.Tensor4D }) => ({ logits: model.apply(values, images, false) }), {
      precision,
    }),
    train: opened.jit((inputs: Tensors) => trainStep(trained, each.labelSmoothing, inputs), { precision }),
    read: (name) => opened.read([values[name]!])[0]!,
  };
}

const close = (actual: ArrayLike<number>, expected: ArrayLike<number>, what: string): void =>
  expect.soft(relativeError(actual, expected), what).toBeLessThan(TOLERANCE);

const titled = fixture.cases.map((each) => ({ title: caseTitle(each), each }));

for (const { name, open, missing } of ENGINES) describe.skipIf(missing)(`${name} equals PyTorch`, () => equality(open));

function equality(open: Engine['open']): void {
  test.each(titled)('$title', async ({ each }) => {
    const { evaluate, train, read } = await start(open, each, 'fp32');

    close(evaluate.run({ images })['logits'].data, unpack(each.evaluationLogits).data, 'logits');
    const first = train.run({ images, labels, lr });
    expect.soft(Object.keys(first).sort()).toEqual(['loss', ...Object.keys(each.gradientNorms)].sort());
    for (const [name, expected] of Object.entries(each.gradients)) close(first[name]!.data, fromTorch(expected).data, name);
    for (const [name, norm] of Object.entries(each.gradientNorms))
      close([Math.hypot(...first[name]!.data)], [norm], `norm of the gradient of ${name}`);
    for (const [name, expected] of Object.entries(each.statistics)) close(read(name), unpack(expected).data, name);
    const later = [1, 2].map(() => train.run({ images, labels, lr })['loss']!.data[0]!);
    close([first['loss']!.data[0]!, ...later], each.losses, 'losses');
    for (const [name, expected] of Object.entries(each.after))
      close(read(name), fromTorch(expected).data, `${name} after the steps`);
  });
}

describe.skipIf(noLibrary)('the compiled engine in bfloat16 follows PyTorch', () => {
  test.each(titled.filter(({ each }) => each.family === 'cifar' && each.norm === 'batch'))('$title', async ({ each }) => {
    const { train } = await start(openCompiled, each, 'bf16');
    const losses = each.losses.map(() => train.run({ images, labels, lr })['loss']!.data[0]!);
    expect(relativeError(losses, each.losses)).toBeLessThan(LOW_TOLERANCE);
    expect(relativeError(losses, each.losses), 'another precision than float32').toBeGreaterThan(TOLERANCE);
  });
});
