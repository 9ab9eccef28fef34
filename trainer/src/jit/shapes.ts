// What every engine does alike with the shapes that a function is called with.
import type { HostDType, HostSpec, HostTensor } from './contract.js';

/** Sets of input shapes that a function may be called with, unless its options say otherwise. */
export const DEFAULT_MAX_TRACES = 8;

interface HostArray {
  new (length: number): HostTensor['data'];
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): HostTensor['data'];
}

export const HOST_ARRAYS: Readonly<Record<HostDType, HostArray>> = {
  float32: Float32Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

/** `x:float32[2,3] labels:int32[2]` */
export const signature = (inputs: Readonly<Record<string, HostSpec>>): string =>
  Object.entries(inputs)
    .map(([name, { dtype, shape }]) => `${name}:${dtype}[${shape}]`)
    .join(' ');

interface Excess {
  readonly most: number;
  readonly newest: string;
  readonly before: string | undefined;
}

export const tooManyTraces = (name: string, { most, newest, before }: Excess): Error =>
  new Error(
    `${name}: called with more than ${most} sets of shapes, the newest ${newest}, before it ${before}; pad inputs to a fixed shape or raise maxTraces`,
  );
