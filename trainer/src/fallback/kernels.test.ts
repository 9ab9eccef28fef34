// Our kernels for the wasm backend against TensorFlow.js' pure-JavaScript backend, over shapes that fast-check draws.
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TRAINING_BATCH_NORM, TRAINING_BATCH_NORM_GRAD } from '../nn/kernels.js';
import { relativeError } from '../nn/oracle.js';
import { registerReferenceKernels } from '../nn/reference-kernels.js';
import { randomStream } from '../random.js';
import { openWasmBackend } from './backend.js';

// Sums of up to some hundred terms in float32 on both sides, in different orders: a few dozen roundings of 6e-8.
const TOLERANCE = 1e-5;
const RUNS = { numRuns: 40, seed: 7 } as const;

beforeAll(async () => {
  registerReferenceKernels('cpu');
  await openWasmBackend();
});
beforeEach(() => tf.engine().startScope());
afterEach(() => tf.engine().endScope());

type Computation = () => tf.Tensor[];

/** What `compute` gives on a backend. Inputs are made inside, so that each backend has its own. */
async function on(name: 'cpu' | 'wasm', compute: Computation): Promise<{ shape: number[]; data: Float32Array }[]> {
  await tf.setBackend(name);
  return compute().map((tensor) => ({ shape: tensor.shape, data: tensor.dataSync() as Float32Array }));
}

async function expectEqual(compute: Computation): Promise<void> {
  const [expected, actual] = [await on('cpu', compute), await on('wasm', compute)];
  expect(actual.map((t) => t.shape)).toEqual(expected.map((t) => t.shape));
  for (const [i, { data }] of expected.entries()) {
    if (data.every((v) => v === 0)) expect(actual[i]!.data.every((v) => v === 0)).toBe(true);
    else expect(relativeError(actual[i]!.data, data), `result ${i}`).toBeLessThan(TOLERANCE);
  }
}

const values = (label: string, shape: number[]): tf.Tensor => {
  const stream = randomStream(1, label);
  return tf.tensor(
    Float32Array.from({ length: tf.util.sizeFromShape(shape) }, () => stream.normal()),
    shape,
  );
};

const side = fc.integer({ min: 1, max: 4 });
const convolution = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    height: fc.integer({ min: 1, max: 9 }),
    width: fc.integer({ min: 1, max: 9 }),
    inputs: fc.integer({ min: 1, max: 5 }),
    outputs: fc.integer({ min: 1, max: 6 }),
    filter: fc.tuple(side, side),
    strides: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    pad: fc.constantFrom<'same' | 'valid' | 1>('same', 'valid', 1),
  })
  .filter(({ height, width, filter, pad }) => pad !== 'valid' || (filter[0] <= height && filter[1] <= width))
  .filter(({ height, width, filter, pad }) => pad !== 1 || (filter[0] <= height + 2 && filter[1] <= width + 2))
  // With a number as padding tfjs takes both sizes of the result from the height's filter and stride.
  .filter(({ filter, strides, pad }) => pad !== 1 || (filter[0] === filter[1] && strides[0] === strides[1]));

/** tfjs takes a rounding with numbers alone. */
const rounding = (pad: string | number) => (typeof pad === 'number' ? 'floor' : undefined);

/** Gradients by the image and the filter, of results weighted so that each output counts differently. */
const gradients = (shapes: { x: number[]; w: number[] }, f: (x: tf.Tensor4D, w: tf.Tensor4D) => tf.Tensor): Computation => {
  return () => {
    const loss = (x: tf.Tensor, w: tf.Tensor): tf.Scalar => {
      const y = f(x as tf.Tensor4D, w as tf.Tensor4D);
      return tf.sum(tf.mul(y, values('dy', y.shape)));
    };
    return tf.grads(loss as (...args: tf.Tensor[]) => tf.Scalar)([values('x', shapes.x), values('w', shapes.w)]);
  };
};

describe('on the wasm backend', () => {
  it('convolutions of any shape, stride and padding have the gradients of the reference', async () => {
    const property = fc.asyncProperty(convolution, async ({ batch, height, width, inputs, outputs, filter, strides, pad }) => {
      const shapes = { x: [batch, height, width, inputs], w: [...filter, inputs, outputs] };
      await expectEqual(gradients(shapes, (x, w) => tf.conv2d(x, w, strides, pad, 'NHWC', [1, 1], rounding(pad))));
    });
    await fc.assert(property, RUNS);
  });

  it('depthwise convolutions of any shape, stride and padding have the gradients of the reference', async () => {
    const property = fc.asyncProperty(convolution, async ({ batch, height, width, inputs, outputs, filter, strides, pad }) => {
      const shapes = { x: [batch, height, width, inputs], w: [...filter, inputs, outputs] };
      await expectEqual(gradients(shapes, (x, w) => tf.depthwiseConv2d(x, w, strides, pad, 'NHWC', [1, 1], rounding(pad))));
    });
    await fc.assert(property, RUNS);
  });

  it('dilated convolutions have no gradient, and say so', async () => {
    await tf.setBackend('wasm');
    const inputs = { x: values('x', [1, 5, 5, 2]), dy: values('dy', [1, 5, 5, 3]) };
    const attributes = { strides: 1, pad: 'same', dataFormat: 'NHWC', filterShape: [3, 3, 2, 3], dilations: 2 };
    expect(() => tf.engine().runKernel('Conv2DBackpropFilter', inputs, attributes)).toThrow(
      /no gradient of dilated convolutions/,
    );
  });

  it('windows for which tfjs reckons the wrong size are refused before they overrun the heap', async () => {
    await tf.setBackend('wasm');
    const x = values('x', [1, 6, 6, 2]) as tf.Tensor4D;
    const w = values('w', [4, 2, 2, 3]) as tf.Tensor4D;
    const needs = /needs a square filter and equal strides on the wasm engine, not .* pad the input/;
    expect(() => tf.conv2d(x, w, 1, 1)).toThrow(needs);
    expect(() => tf.depthwiseConv2d(x, w, 1, 1)).toThrow(needs);
    expect(() => tf.maxPool(x, [4, 2], 1, 1)).toThrow(needs);
    expect(() => tf.avgPool(x, 3, [1, 3], 1)).toThrow(needs);
    expect(tf.conv2d(x, w, 1, 'same').shape).toEqual([1, 6, 6, 3]);
  });

  it('channels first are refused by name', async () => {
    await tf.setBackend('wasm');
    const inputs = { dy: values('dy', [1, 3, 5, 5]), filter: values('w', [3, 3, 2, 3]) };
    const attributes = { strides: 1, pad: 'same', dataFormat: 'NCHW', inputShape: [1, 2, 5, 5] };
    expect(() => tf.engine().runKernel('Conv2DBackpropInput', inputs, attributes)).toThrow(/NHWC only, not NCHW/);
  });

  it('batch norm and its gradient are those of the reference for any number of channels', async () => {
    // Of two or three values little is left of the gradient but rounding.
    const some = fc.integer({ min: 2, max: 4 });
    const sizes = fc.record({ n: some, h: some, w: some, c: fc.integer({ min: 1, max: 11 }) });
    const property = fc.asyncProperty(sizes, async ({ n, h, w, c }) => {
      await expectEqual(() => {
        const [x, dy] = [values('x', [n, h, w, c]), values('dy', [n, h, w, c])];
        const [scale, offset] = [values('scale', [c]), values('offset', [c])];
        const results = tf.engine().runKernel(TRAINING_BATCH_NORM, { x, scale, offset }, { epsilon: 1e-3 });
        const [y, mean, variance, saved1, saved2, saved3] = results as unknown as [
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
          tf.Tensor,
        ];
        const back = { dy, x, scale, saved1, saved2, saved3 };
        const gradient = tf.engine().runKernel(TRAINING_BATCH_NORM_GRAD, back, { epsilon: 1e-3 }) as unknown as tf.Tensor[];
        return [y, mean, variance, ...gradient];
      });
    });
    await fc.assert(property, RUNS);
  });

  it('the variance of values far from zero is not lost to rounding', async () => {
    await tf.setBackend('wasm');
    const x = tf.add(values('x', [2, 16, 16, 4]), 1000);
    const inputs = { x, scale: tf.ones([4]), offset: tf.zeros([4]) };
    const [, , variance] = tf.engine().runKernel(TRAINING_BATCH_NORM, inputs, { epsilon: 1e-5 }) as unknown as tf.Tensor[];
    await tf.setBackend('cpu');
    const shifted = tf.tensor4d(x.dataSync(), [2, 16, 16, 4]).sub(1000);
    const { variance: biased } = tf.moments(shifted, [0, 1, 2]);
    expect(relativeError(variance!.dataSync(), tf.mul(biased, 512 / 511).dataSync())).toBeLessThan(1e-4);
  });

  it('the gradient of relu passes where the output is positive, and nowhere else', async () => {
    await tf.setBackend('wasm');
    const y = tf.tensor1d([0, -0, 1e-38, 2, 0, Infinity]);
    const dy = tf.tensor1d([1, 2, -3, 4, Number.NaN, 6]);
    const dx = tf.engine().runKernel('ReluGradFromOutput', { dy, y }) as tf.Tensor;
    expect(Array.from(dx.dataSync())).toEqual([0, 0, -3, 4, 0, 6]);
  });

  it('one-hot targets are right in every type, indices outside left out', async () => {
    await tf.setBackend('wasm');
    const labels = tf.tensor1d([2, 0, -1, 3], 'int32');
    const rows = (dtype: 'float32' | 'int32', on: number, off: number) => tf.oneHot(labels, 3, on, off, dtype).arraySync();
    expect(rows('int32', 1, 0)).toEqual([
      [0, 0, 1],
      [1, 0, 0],
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(rows('float32', 0.75, 0.125)).toEqual([
      [0.125, 0.125, 0.75],
      [0.75, 0.125, 0.125],
      [0.125, 0.125, 0.125],
      [0.125, 0.125, 0.125],
    ]);
  });

  it('a clone shares its memory and outlives the original', async () => {
    await tf.setBackend('wasm');
    const x = tf.tensor1d([1, 2]);
    const before = tf.memory().numDataBuffers;
    const y = tf.clone(x);
    expect(tf.memory().numDataBuffers).toBe(before);
    x.dispose();
    expect(Array.from(y.dataSync())).toEqual([1, 2]);
  });

  it('gather refuses an index outside, and bools', async () => {
    await tf.setBackend('wasm');
    const x = tf.tensor1d([1, 2, 3]);
    for (const index of [3, -1])
      expect(() => tf.gather(x, tf.tensor1d([index], 'int32'))).toThrow(`index ${index} is not in 0..2`);
    expect(() => tf.gather(tf.tensor1d([true, false], 'bool'), tf.tensor1d([1], 'int32'))).toThrow(/float32 and int32 only/);
  });

  it('256 is true', async () => {
    await tf.setBackend('wasm');
    expect(Array.from(tf.cast(tf.tensor1d([0, 256, 0.5, -1]), 'bool').dataSync())).toEqual([0, 1, 1, 1]);
  });
});
