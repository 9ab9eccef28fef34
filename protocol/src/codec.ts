// Values to MessagePack and back: the one file that loads msgpackr. Plain MessagePack without extensions of the library, so
// that any other library reads it.
import { addExtension, Packr, Unpackr } from 'msgpackr';
import type { z } from 'zod';

/** Extension type of payloads of bfloat16 numbers, little-endian. Read as bytes. */
export const BFLOAT16_EXTENSION = 16;

addExtension({ type: BFLOAT16_EXTENSION, unpack: (bytes) => bytes });

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' });

/** What can be encoded: JSON's values, and bytes. Fields that are undefined arrive as null. */
export type Encodable =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Encodable[]
  | { readonly [key: string]: Encodable };

/** Bytes of one value. They may be part of a larger buffer: to be copied, not transferred. */
export const encode = (value: Encodable): Uint8Array => packr.pack(value);

/**
 * The one value that the bytes hold. Byte strings in it are views of `bytes`.
 * @throws Error where the bytes are not MessagePack, hold more or less than one value, or one that the schema refuses
 */
export const decode = <T>(bytes: Uint8Array, schema: z.ZodType<T>): T => schema.parse(unpackr.unpack(bytes));
