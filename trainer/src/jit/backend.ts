// TensorFlow.js' own node backend, given a binding that records instead of executing: the 'tensorflow' backend of tfjs.
//
// Every kernel of @tensorflow/tfjs-node-gpu ends in `binding.executeOp(name, attributes, inputs)` with TensorFlow's names and
// attributes, so tracing needs no table of ops. The package's native part is never loaded.
import { createRequire } from 'node:module';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import './node-compatibility.js';
import { DTYPE } from '../runtime/capi.js';
import { type Attribute, KIND } from './attributes.js';
import { CORRECTED_KERNELS } from './corrections.js';
import { PADDED_KERNELS } from './padding.js';
import { POINTWISE_KERNELS } from './pointwise.js';
import { replaceKernels } from './replace.js';

const require = createRequire(import.meta.url);

/** What kernels tell of a result. `id` is the number under which the binding knows the value. */
export interface OutputInfo {
  readonly id: number;
  readonly dtype: number;
  readonly shape: number[];
}

/** The part of tfjs-node's native interface that kernels use. */
export interface Binding {
  createTensor(shape: number[], dtype: number, values: ArrayBufferView | number[]): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): never;
  executeOp(name: string, attributes: Attribute[], inputs: number[], outputs: number): OutputInfo[];
}

/** Enumerations that the package reads from its binding. */
const CONSTANTS = {
  TF_ATTR_STRING: KIND.string,
  TF_ATTR_INT: KIND.int,
  TF_ATTR_FLOAT: KIND.float,
  TF_ATTR_BOOL: KIND.bool,
  TF_ATTR_TYPE: KIND.type,
  TF_ATTR_SHAPE: KIND.shape,
  TF_FLOAT: DTYPE.float32,
  TF_INT32: DTYPE.int32,
  TF_UINT8: DTYPE.uint8,
  TF_STRING: DTYPE.string,
  TF_COMPLEX64: DTYPE.complex64,
  TF_INT64: DTYPE.int64,
  TF_BOOL: DTYPE.bool,
  TF_RESOURCE: DTYPE.resource,
  isUsingGpuDevice: () => false,
};

interface NodeBackend extends tf.KernelBackend {
  binding: Binding & typeof CONSTANTS;
  tensorMap: { has(dataId: object): boolean; get(dataId: object): { id: number; values: unknown } };
  createOutputTensor(info: OutputInfo): tf.Tensor;
  getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[];
  executeSingleOutput(name: string, attributes: Attribute[], inputs: tf.TensorInfo[]): tf.Tensor;
  executeMultipleOutputs(name: string, attributes: Attribute[], inputs: tf.TensorInfo[], outputs: number): tf.Tensor[];
}

/** What a trace wants to hear of while its function runs. */
export interface TraceListener extends Binding {
  /** A tensor's values were given by JavaScript, within the tfjs ops of these names (outermost first). */
  onConstant(values: ArrayBufferView | number[], scopes: readonly string[]): void;
  /** What stands in the graph for a tensor that this backend does not hold, if anything may. */
  constantFor(tensor: tf.TensorInfo): tf.TensorInfo | undefined;
  /** An op uses a tensor that this backend does not hold. */
  onForeign(op: string, tensor: tf.TensorInfo): never;
}

const { NodeJSKernelBackend } = require('@tensorflow/tfjs-node-gpu/dist/nodejs_kernel_backend.js') as {
  NodeJSKernelBackend: new (binding: object, packageName: string) => NodeBackend;
};

function outside(): never {
  throw new Error('TensorFlow runs compiled functions only: call this inside a function given to jit()');
}

/** Between traces nothing can be made or read; what is left of the last one is dropped without a word. */
const NO_TRACE: Binding = { createTensor: outside, tensorDataSync: outside, executeOp: outside, deleteTensor: () => {} };

/** What tfjs adds to an op's name for its scope. */
const OP_SUFFIX = /__op$/;

/** Names of the tfjs ops that are being called, outermost first. */
function scopeNames(): string[] {
  const { scopeStack } = (tf.engine() as unknown as { state: { scopeStack: { name: string }[] } }).state;
  return scopeStack.map((scope) => scope.name.replace(OP_SUFFIX, ''));
}

/** The node backend with the checks that a trace needs. */
class TracingBackend extends NodeJSKernelBackend {
  #listener: TraceListener | undefined;
  #op = 'an op';

  constructor() {
    super({ ...CONSTANTS, ...bindingOf(NO_TRACE) }, '@tensorflow/tfjs-node-gpu');
  }

  attach(listener: TraceListener | undefined): void {
    this.#listener = listener;
    this.binding = { ...CONSTANTS, ...bindingOf(listener ?? NO_TRACE) };
  }

  get tracing(): boolean {
    return this.#listener !== undefined;
  }

  override getInputTensorIds(tensors: readonly tf.TensorInfo[]): number[] {
    const known = tensors.map((tensor) => {
      const isInt64Scalar = tensor.dataId === undefined;
      if (isInt64Scalar || this.tensorMap.has(tensor.dataId)) return tensor;
      return this.#active.constantFor(tensor) ?? this.#active.onForeign(this.#op, tensor);
    });
    return super.getInputTensorIds(known);
  }

  override executeSingleOutput(name: string, attributes: Attribute[], inputs: tf.TensorInfo[]): tf.Tensor {
    this.#op = name;
    return super.executeSingleOutput(name, attributes, inputs);
  }

  override executeMultipleOutputs(name: string, attributes: Attribute[], inputs: tf.TensorInfo[], outputs: number): tf.Tensor[] {
    this.#op = name;
    return super.executeMultipleOutputs(name, attributes, inputs, outputs);
  }

  override incRef(dataId: object): void {
    if (!this.tensorMap.has(dataId)) {
      const shape = (tf.engine() as unknown as { state: { tensorInfo: WeakMap<object, tf.TensorInfo> } }).state.tensorInfo.get(
        dataId,
      );
      this.#active.onForeign('Identity', shape ?? { dataId, shape: [], dtype: 'float32' });
    }
    super.incRef(dataId);
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    this.#listener?.onConstant(values as ArrayBufferView, scopeNames());
    return super.write(values, shape, dtype);
  }

  get #active(): TraceListener {
    return this.#listener ?? outside();
  }
}

const bindingOf = (l: Binding): Binding => ({
  createTensor: l.createTensor.bind(l),
  deleteTensor: l.deleteTensor.bind(l),
  tensorDataSync: l.tensorDataSync.bind(l),
  executeOp: l.executeOp.bind(l),
});

let backend: TracingBackend | undefined;

/** The one tracing backend of this thread; registers itself and the kernels with tfjs when first asked for. */
export function tracingBackend(): TracingBackend {
  if (backend) return backend;
  const made = new TracingBackend();
  const previous = tf.engine().backendName ?? 'cpu';
  tf.registerBackend('tensorflow', () => made, 0);
  require('@tensorflow/tfjs-node-gpu/dist/register_all_kernels.js');
  replaceKernels(POINTWISE_KERNELS);
  replaceKernels(PADDED_KERNELS);
  replaceKernels(CORRECTED_KERNELS);
  tf.setBackend(previous);
  // The cpu backend's advice to install tfjs-node, printed at its first use, is meant for others.
  (tf.findBackend('cpu') as { firstUse?: boolean }).firstUse = false;
  backend = made;
  return made;
}

export type { TracingBackend };
