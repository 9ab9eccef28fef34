// What the session contract's suite does not ask: the wasm heap, other backends, refusals, other threads.
import { Worker } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT, TrainerError } from '../errors.js';
import type { HostTensor, Session } from '../jit/contract.js';
import { createModel } from '../nn/models.js';
import { Learner } from '../worker/step.js';
import { openWasmBackend } from './backend.js';
import type { BackendWasm } from './heap.js';
import { openWasmSession } from './session.js';

let session: Session;
let backend: BackendWasm;
beforeEach(async () => {
  session = await openWasmSession();
  backend = await openWasmBackend();
});
afterEach(() => {
  session.close();
  tf.disposeVariables();
});

const vector = (...values: number[]): HostTensor => ({
  dtype: 'float32',
  shape: [values.length],
  data: Float32Array.from(values),
});

/** How far the wasm memory has grown. */
const heapBytes = (): number => {
  const probe = backend.makeOutput([1], 'float32');
  const { byteLength } = backend.typedArrayFromHeap(probe).buffer;
  backend.disposeData(probe.dataId);
  return byteLength;
};

const refusal = (call: () => unknown): TrainerError => {
  try {
    call();
  } catch (error) {
    if (error instanceof TrainerError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

describe('a session of the WebAssembly engine', () => {
  it('refuses what it cannot do as wrong usage, and says what can', async () => {
    const step = ({ x }: { x: tf.Tensor }) => ({ y: x });
    const errors = [
      refusal(() => session.jit(step, { precision: 'bf16' })),
      refusal(() => session.jit(step, { xla: true })),
      await openWasmSession({ device: '/device:GPU:0' }).then(
        () => undefined,
        (error: TrainerError) => error,
      ),
    ];
    expect(errors.map((error) => error?.exitCode)).toEqual([EXIT.usage, EXIT.usage, EXIT.usage]);
    expect(errors.map((error) => error?.message)).toEqual([
      'step: the wasm engine computes in fp32 only: use --precision fp32, or --engine tensorflow',
      'step: the wasm engine has no XLA: leave xla out, or use --engine tensorflow',
      'the wasm engine has no device /device:GPU:0: leave the device out, or use --engine tensorflow',
    ]);
  });

  it('adds no handlers of errors to the process', () => {
    const names = ['uncaughtException', 'unhandledRejection'] as const;
    const sources = names.flatMap((name) => process.listeners(name as 'uncaughtException')).map(String);
    expect(sources.filter((source) => /ExitStatus|throw reason/.test(source))).toEqual([]);
  });

  it('takes over variables that another backend made', async () => {
    await tf.setBackend('cpu');
    const w = tf.variable(tf.tensor1d([1, 2]));
    session.adopt([w]);
    const double = session.jit(() => {
      w.assign(tf.mul(w, 2));
      return {};
    });
    double.run({});
    expect(tf.getBackend()).toBe('cpu');
    expect(Array.from(session.read([w])[0]!)).toEqual([2, 4]);
  });

  it('goes on after one of its variables was disposed of', () => {
    const [gone, kept] = [tf.variable(tf.tensor1d([1])), tf.variable(tf.tensor1d([2]))];
    session.adopt([gone, kept]);
    gone.dispose();
    const read = session.jit(() => ({ kept: tf.add(kept, 1) }));
    expect(Array.from(read.run({})['kept'].data)).toEqual([3]);
  });

  it('leaves nothing on the heap over 1,000 steps of a function that throws half the time', () => {
    const w = tf.variable(tf.tensor1d([0]));
    session.adopt([w]);
    const step = session.jit(({ x }: { x: tf.Tensor }) => {
      w.assign(tf.add(w, tf.sum(tf.square(x))));
      if (throwing) throw new Error('half the time');
      return { w: tf.clone(w) };
    });
    let throwing = false;
    step.run({ x: vector(1) });
    const before = [tf.memory().numTensors, backend.numDataIds()];
    for (let i = 0; i < 1000; i++) {
      throwing = i % 2 === 0;
      if (throwing) expect(() => step.run({ x: vector(1) })).toThrow('half the time');
      else step.run({ x: vector(1) });
    }
    expect([tf.memory().numTensors, backend.numDataIds()]).toEqual(before);
    expect(Array.from(session.read([w])[0]!)).toEqual([501]);
  });

  it('leaves nothing on the heap over steps of a network', async () => {
    const shape = {
      depth: 8,
      width: 0.25,
      shortcut: 'A',
      norm: 'batch',
      attention: 'cbam',
      zeroGamma: false,
      classes: 3,
    } as const;
    const model = createModel({ ...shape, side: 'resnet', arch: 'cifar', imageSize: [6, 5] });
    const learner = new Learner(session, model, model.initialize(1), {
      sgd: { momentum: 0.9, weightDecay: 0.01, decayNorm: true },
      labelSmoothing: 0.1,
      precision: 'fp32',
      pixels: { mean: [100, 100, 100], std: [50, 50, 50] },
    });
    const images: HostTensor = {
      dtype: 'uint8',
      shape: [2, 6, 5, 3],
      data: Uint8Array.from({ length: 180 }, (_, i) => (i * 37) % 256),
    };
    const labels: HostTensor = { dtype: 'int32', shape: [2], data: Int32Array.of(0, 2) };
    const step = async () => {
      const { loss } = await learner.train({ images, labels }, 0.05);
      await learner.evaluate({ images, labels }, 1);
      return loss;
    };
    const first = await step();
    const before = [tf.memory().numTensors, backend.numDataIds(), heapBytes()];
    let last = first;
    for (let i = 0; i < 30; i++) last = await step();
    expect([tf.memory().numTensors, backend.numDataIds(), heapBytes()]).toEqual(before);
    expect(last).toBeLessThan(first / 2);
  });

  it('opens in a thread of its own, from the built files', async () => {
    const built = new URL('../../dist/fallback/session.js', import.meta.url).href;
    const code = `
      import { parentPort } from 'node:worker_threads';
      const { openWasmSession } = await import(${JSON.stringify(built)});
      const session = await openWasmSession();
      const double = session.jit(({ x }) => ({ y: x.mul(2) }));
      const { y } = double.run({ x: { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) } });
      parentPort.postMessage(Array.from(y.data));
    `;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
    const exited = new Promise<number>((resolve) => worker.once('exit', resolve));
    const result = await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    expect(result).toEqual([2, 4]);
    expect(await exited).toBe(0);
  });
});
