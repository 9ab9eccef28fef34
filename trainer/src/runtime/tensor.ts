// Tensors in TensorFlow's memory, and views on them. Each has one owner that calls `delete`.
import koffi from 'koffi';
import { type CApi, DTYPE, int64s, type Pointer } from './capi.js';

const BYTES: Readonly<Record<number, number>> = {
  [DTYPE.float32]: 4,
  [DTYPE.int32]: 4,
  [DTYPE.uint8]: 1,
  [DTYPE.int64]: 8,
  [DTYPE.bool]: 1,
};

export const elements = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

/** The bytes of any dense array, without a copy. */
export const bytesOf = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/**
 * The bytes of a TF_Tensor as a view on native memory: no copy. The view is dead once the tensor is deleted, so it never
 * leaves the function that made it or the object that owns the tensor.
 */
export function viewOf(c: CApi, tensor: Pointer): Uint8Array {
  const size = Number(c.TF_TensorByteSize(tensor));
  return size === 0 ? new Uint8Array(0) : new Uint8Array(koffi.view(c.TF_TensorData(tensor), size));
}

/** A tensor in native memory that stays in place until deleted: what a session is fed from, step after step. */
export class NativeTensor {
  readonly #c: CApi;
  #pointer: Pointer | undefined;
  readonly bytes: Uint8Array;

  constructor(c: CApi, dtype: number, shape: readonly number[]) {
    const width = BYTES[dtype];
    if (width === undefined) throw new Error(`tensors of TensorFlow type ${dtype} cannot be made from JavaScript`);
    this.#c = c;
    this.#pointer = c.TF_AllocateTensor(dtype, int64s(shape), shape.length, elements(shape) * width) as Pointer;
    this.bytes = viewOf(c, this.#pointer);
  }

  /** A tensor with these values; throws where their size does not fit the shape. */
  static from(c: CApi, dtype: number, shape: readonly number[], values: ArrayBufferView): NativeTensor {
    const tensor = new NativeTensor(c, dtype, shape);
    if (values.byteLength !== tensor.bytes.byteLength) {
      tensor.delete();
      throw new Error(`a tensor of shape [${shape}] has ${elements(shape)} elements; ${values.byteLength} bytes were given`);
    }
    tensor.bytes.set(bytesOf(values));
    return tensor;
  }

  get pointer(): Pointer {
    if (this.#pointer === undefined) throw new Error('this native tensor was deleted');
    return this.#pointer;
  }

  delete(): void {
    if (this.#pointer !== undefined) this.#c.TF_DeleteTensor(this.#pointer);
    this.#pointer = undefined;
  }
}
