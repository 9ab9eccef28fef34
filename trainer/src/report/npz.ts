// NumPy's .npz: arrays in its .npy format (version 1.0), stored in a zip archive without compression.
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
import { type Zippable, zipSync } from 'fflate';

/** Row-major values, or a list of texts (read back with dtype `<U…`). */
export type NpyArray =
  | { readonly shape: readonly number[]; readonly data: Float32Array | Int32Array }
  | { readonly texts: readonly string[] };

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];
/** NumPy aligns the data to this many bytes. */
const ALIGNMENT = 64;
/** The earliest date that zip knows: archives of the same arrays have the same bytes. */
const ZIP_DATE = new Date(1980, 0, 1);

/** The bytes of an archive whose members are `<name>.npy`, as `numpy.load` opens it. */
export function encodeNpz(arrays: Readonly<Record<string, NpyArray>>): Uint8Array {
  const files: Zippable = {};
  for (const [name, array] of Object.entries(arrays)) files[`${name}.npy`] = [encodeNpy(array), { level: 0, mtime: ZIP_DATE }];
  return zipSync(files);
}

/** The bytes of one .npy file. */
export function encodeNpy(array: NpyArray): Uint8Array {
  if ('texts' in array) return encodeTexts(array.texts);
  const { data, shape } = array;
  const size = shape.reduce((product, length) => product * length, 1);
  if (size !== data.length) throw new Error(`${data.length} values cannot have shape [${shape}]`);
  const descr = data instanceof Float32Array ? '<f4' : '<i4';
  return npy(descr, shape, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

/** NumPy's `<U` arrays: each text padded with zeros to the longest, 4 bytes a code point. */
function encodeTexts(texts: readonly string[]): Uint8Array {
  const points = texts.map((text) => [...text].map((char) => char.codePointAt(0)!));
  const width = Math.max(1, ...points.map((text) => text.length));
  const data = new Uint32Array(texts.length * width);
  points.forEach((text, at) => {
    data.set(text, at * width);
  });
  return npy(`<U${width}`, [texts.length], new Uint8Array(data.buffer));
}

function npy(descr: string, shape: readonly number[], data: Uint8Array): Uint8Array {
  // A Python tuple of one element keeps its comma.
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const header = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const start = Math.ceil((MAGIC.length + 2 + header.length + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(start + data.length);
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint16(MAGIC.length, start - MAGIC.length - 2, true);
  bytes.set(new TextEncoder().encode(`${header.padEnd(start - MAGIC.length - 3)}\n`), MAGIC.length + 2);
  bytes.set(data, start);
  return bytes;
}
