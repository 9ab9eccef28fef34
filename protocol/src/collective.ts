// Gradients between ranks: one frame is two MessagePack values, a map that says what it is, then the numbers as bytes.
//
//   0                          250 or 251      256                                    256 + bytes
//   | header: map, padded ...  | bin32 / ext32 | payload: floats, little-endian ...   |
//
// The payload always begins at the same offset, a whole number of cache lines, so that vector code runs over it in place.
import { z } from 'zod';
import { BFLOAT16_EXTENSION, decode, encode } from './codec.js';

const WIRES = ['fp32', 'bf16'] as const;

/** Of one exchange: how much room its tables have. */
export const MOST_RANKS = 32;

const GradientHeaderSchema = z.strictObject({
  /** Completed steps before this one. */
  step: z.int().nonnegative(),
  /** Examples that the rank's means are over: its weight. At 0 the payload means nothing. */
  examples: z.number().nonnegative(),
  version: z.literal(1),
  rank: z.int().nonnegative(),
  /** Of this payload: fp32 is a bin, bf16 the extension type 16. */
  wire: z.enum(WIRES),
  /** Numbers in this payload. */
  floats: z.int().nonnegative(),
  /** Which of the buckets that a long gradient is cut into, from 0, and how many they are. */
  bucket: z.int().nonnegative(),
  buckets: z.int().positive(),
  /** How the gradient is divided into arrays, in words: equal on all ranks. */
  layout: z.string().max(96),
});
export type GradientHeader = Readonly<z.infer<typeof GradientHeaderSchema>>;

/** Where the payload begins in a frame. */
export const GRADIENT_PAYLOAD_OFFSET = 256;

const PaddedHeaderSchema = GradientHeaderSchema.extend({ pad: z.instanceof(Uint8Array) });
const NO_BYTES = new Uint8Array(0);
const BIN32 = 0xc6;
const EXT32 = 0xc9;
/** Where the numbers of `step` and `examples` stand, that open the map: 8 bytes each, so that they are changed in place. */
const STEP_AT = 9;
const EXAMPLES_AT = 27;
/** No whole number: encoded in 8 bytes. */
const ANY_FRACTION = 0.1;

/** Bytes of the numbers of a payload. */
export const gradientPayloadBytes = (wire: GradientHeader['wire'], floats: number): number => floats * (wire === 'bf16' ? 2 : 4);

/** Bytes of the payload's own MessagePack head, that end where the payload begins. */
const payloadHeadBytes = (wire: GradientHeader['wire']): number => (wire === 'bf16' ? 6 : 5);

/**
 * What writes the first 256 bytes of frames, all but the payload. Encoding costs ten microseconds and is done once: frames
 * of a bucket differ by step and examples alone.
 */
export function gradientHeaderWriter(
  fixed: Omit<GradientHeader, 'version' | 'step' | 'examples'>,
): (frame: DataView, step: number, examples: number) => void {
  const { wire, floats } = fixed;
  const headerBytes = GRADIENT_PAYLOAD_OFFSET - payloadHeadBytes(wire);
  const padded = (pad: Uint8Array): Uint8Array =>
    encode({ step: ANY_FRACTION, examples: ANY_FRACTION, version: 1, ...fixed, pad });
  const template = new Uint8Array(GRADIENT_PAYLOAD_OFFSET);
  template.set(padded(new Uint8Array(headerBytes - padded(NO_BYTES).length)));
  const head = new DataView(template.buffer, headerBytes);
  head.setUint8(0, wire === 'bf16' ? EXT32 : BIN32);
  head.setUint32(1, gradientPayloadBytes(wire, floats));
  if (wire === 'bf16') head.setUint8(5, BFLOAT16_EXTENSION);
  return (frame, step, examples) => {
    new Uint8Array(frame.buffer, frame.byteOffset).set(template);
    frame.setFloat64(STEP_AT, step);
    frame.setFloat64(EXAMPLES_AT, examples);
  };
}

/**
 * What a frame says of itself; the payload is not looked at.
 * @param wire of the frame, as its place in the exchange says
 * @throws Error where it is not such a frame
 */
export function readGradientHeader(frame: Uint8Array, wire: GradientHeader['wire']): GradientHeader {
  // A copy: text is not decoded from shared memory.
  const { pad: _, ...header } = decode(frame.slice(0, GRADIENT_PAYLOAD_OFFSET - payloadHeadBytes(wire)), PaddedHeaderSchema);
  return header;
}
