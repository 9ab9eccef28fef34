// The safetensors format: 8 bytes of header length, a JSON header, then the tensors' bytes without gaps.
// Little-endian like every machine this runs on, so tensors are written and read as views, never converted.
// Format: https://huggingface.co/docs/safetensors
import { environmentError } from '../errors.js';
import type { FloatTensor } from './layout.js';
import { DTYPE_BYTES, type DType, parseHeader } from './safetensors-header.js';

/** The format's own limit. */
const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;

/** A tensor to write. A function is called when its turn comes, so converted data need not exist all at once. */
export interface TensorSource {
  readonly shape: readonly number[];
  readonly data: Float32Array | (() => Float32Array);
}

export interface SafeTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Little-endian values: a view of the bytes that were read. */
  readonly bytes: Uint8Array;
}

export interface SafeTensors {
  readonly tensors: Readonly<Record<string, SafeTensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * The file's bytes piece by piece: the header, then each tensor in the order of its name. Pieces are views of the
 * tensors' own memory. All values are F32.
 */
export function* safetensorsChunks(
  tensors: Readonly<Record<string, TensorSource>>,
  metadata: Readonly<Record<string, string>> = {},
): Generator<Uint8Array> {
  const names = Object.keys(tensors).sort();
  yield headerBytes(names, tensors, metadata);
  for (const name of names) {
    const { data, shape } = tensors[name]!;
    const values = typeof data === 'function' ? data() : data;
    if (values.length !== elements(shape)) throw new Error(`${name} has ${values.length} values for shape [${shape}]`);
    yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
}

/** The whole file in memory; for small ones. */
export const encodeSafetensors = (
  tensors: Readonly<Record<string, TensorSource>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array => Buffer.concat([...safetensorsChunks(tensors, metadata)]);

function headerBytes(
  names: readonly string[],
  tensors: Readonly<Record<string, TensorSource>>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const fields: string[] = [];
  const field = (name: string, value: unknown): number => fields.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`);
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) field('__metadata__', Object.fromEntries(keys.map((key) => [key, metadata[key]])));
  let offset = 0;
  for (const name of names) {
    if (name === '__metadata__') throw new Error('no tensor can be named __metadata__');
    const { shape } = tensors[name]!;
    const end = offset + elements(shape) * DTYPE_BYTES.F32;
    field(name, { dtype: 'F32', shape, data_offsets: [offset, end] });
    offset = end;
  }
  const json = Buffer.from(`{${fields.join(',')}}`);
  // Padded so that the data, and with it every float, starts at a multiple of 8.
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = Buffer.alloc(LENGTH_BYTES + length, ' ');
  bytes.writeBigUInt64LE(BigInt(length), 0);
  json.copy(bytes, LENGTH_BYTES);
  return bytes;
}

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/**
 * Reads a file that was loaded into memory; `source` names it in errors. Everything is checked before anything is used:
 * sizes, offsets (no overlap, no hole, nothing behind the last), names (no duplicate), types. Allocates at most 16 MiB
 * beside `bytes`. Throws an error of exit code 3.
 */
export function decodeSafetensors(bytes: Uint8Array, source: string): SafeTensors {
  const refuse = (what: string): Error =>
    environmentError(`${source} is not a valid safetensors file: ${what}; copy or download it again`);
  if (bytes.length < LENGTH_BYTES) throw refuse(`it has ${bytes.length} bytes, fewer than the 8 of the header's length`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) throw refuse(`its header claims ${length} bytes, more than 100 MB`);
  const dataStart = LENGTH_BYTES + Number(length);
  if (dataStart > bytes.length) throw refuse(`its header claims ${length} bytes, more than the file has`);
  const { entries, metadata } = parseHeader(bytes.subarray(LENGTH_BYTES, dataStart), refuse);
  let end = 0;
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== end) throw refuse(`${quote(entry.name)} ${entry.begin < end ? 'overlaps another' : 'follows a hole'}`);
    end = entry.end;
  }
  if (end !== bytes.length - dataStart)
    throw refuse(`its tensors take ${end} bytes, but ${bytes.length - dataStart} follow the header`);
  return {
    metadata,
    tensors: Object.fromEntries(
      entries.map(({ name, dtype, shape, begin, end: stop }) => [
        name,
        { dtype, shape, bytes: bytes.subarray(dataStart + begin, dataStart + stop) },
      ]),
    ),
  };
}

const quote = (name: string): string => JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);

/**
 * Values as float32: F32 as a view where its bytes are aligned, F64 and BF16 and F16 converted. Other types (such as
 * PyTorch's int64 `num_batches_tracked`) are an error of exit code 3, named `name` in it.
 */
export function asFloatTensor(tensor: SafeTensor, name: string): FloatTensor {
  const { dtype, shape, bytes } = tensor;
  if (dtype === 'F32') return { shape, data: float32View(bytes) };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Float32Array(bytes.length / DTYPE_BYTES[dtype]);
  if (dtype === 'F64') for (let i = 0; i < data.length; i++) data[i] = view.getFloat64(i * 8, true);
  else if (dtype === 'BF16') for (let i = 0; i < data.length; i++) data[i] = bfloat16(view.getUint16(i * 2, true));
  else if (dtype === 'F16') for (let i = 0; i < data.length; i++) data[i] = float16(view.getUint16(i * 2, true));
  else throw environmentError(`tensor ${quote(name)} holds ${dtype}, not floating-point numbers; save it as F32`);
  return { shape, data };
}

const float32View = (bytes: Uint8Array): Float32Array =>
  bytes.byteOffset % 4 === 0
    ? new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
    : new Float32Array(Uint8Array.from(bytes).buffer);

const scratch = new DataView(new ArrayBuffer(4));

/** A bfloat16 is the upper half of a float32. */
function bfloat16(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

/** IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
function float16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
