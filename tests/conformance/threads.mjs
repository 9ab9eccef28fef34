// Starts and stops worker threads that compile and train, one after the other: `node threads.mjs STARTS ENDING...`.
// Endings of a thread: natural, unclosed (its session is left open), terminate, exit, throw. Of the process, if named last:
// process-exit, while a thread runs. Loads the library in the main thread first where `main-first` is named.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs-core';
import { tracingBackend } from '../../trainer/dist/jit/backend.js';
import { TensorFlowSession } from '../../trainer/dist/jit/session.js';
import { loadLibrary } from '../../trainer/dist/runtime/capi.js';
import { findLibrary } from '../../trainer/dist/runtime/library.js';

const SIZE = 256;

async function load() {
  const library = await findLibrary();
  if (!library) throw new Error('the native library is not installed: run `trainer setup`');
  return loadLibrary(library.folder);
}

/** A session with a step that keeps a thread busy for some milliseconds. */
function makeStep(c) {
  tracingBackend();
  tf.setBackend('cpu');
  const session = new TensorFlowSession(c, { intraOpThreads: 2 });
  const w = tf.variable(tf.ones([SIZE, SIZE]));
  session.adopt([w]);
  const fn = session.jit(({ x }) => {
    const { value, grads } = tf.variableGrads(() => tf.mean(tf.square(tf.matMul(x, w))), [w]);
    w.assign(tf.sub(w, grads[w.name]));
    return { loss: value };
  });
  const x = { shape: [SIZE, SIZE], dtype: 'float32', data: new Float32Array(SIZE * SIZE).fill(0.01) };
  return { session, fn, inputs: { x } };
}

async function work(ending) {
  const { session, fn, inputs } = makeStep(await load());
  fn.run(inputs);
  if (ending === 'unclosed') return;
  if (ending === 'natural') return session.close();
  if (ending === 'throw') {
    void fn.runAsync(inputs);
    throw new Error('thrown in a step');
  }
  if (ending === 'exit') setTimeout(() => process.exit(0), 5);
  for (;;) {
    // Half of the time in the thread itself, half of it in libuv's pool.
    fn.run(inputs);
    const running = fn.runAsync(inputs);
    parentPort.postMessage('running');
    await running;
  }
}

async function startAndStop(ending) {
  const worker = new Worker(new URL(import.meta.url), { workerData: ending });
  const error = once(worker, 'error').then(([e]) => e);
  const ended = once(worker, 'exit').catch(() => 1);
  if (ending === 'throw') {
    const { message } = await error;
    if (message !== 'thrown in a step') throw new Error(message);
    return;
  }
  if (ending === 'terminate' || ending === 'process-exit') {
    await once(worker, 'message');
    if (ending === 'process-exit') process.exit(0);
    await worker.terminate();
    return;
  }
  const [code] = await ended;
  if (code !== 0) throw new Error(`${ending}: exit code ${code}`);
}

if (isMainThread) {
  const [starts, ...endings] = process.argv.slice(2);
  if (endings.includes('main-first')) await load();
  const ofThreads = endings.filter((e) => e !== 'main-first' && e !== 'process-exit');
  for (let i = 0; i < Number(starts); i++) await startAndStop(ofThreads[i % ofThreads.length]);
  console.log(`${starts} threads ended`);
  if (endings.includes('process-exit')) await startAndStop('process-exit');
} else await work(workerData);
