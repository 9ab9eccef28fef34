// crc-32 types only its main file; its Castagnoli variant has the same functions.
declare module 'crc-32/crc32c.js' {
  /** Signed 32-bit CRC-32C of the bytes, going on from `seed`. */
  export function buf(data: Uint8Array, seed?: number): number;
  const module: { buf: typeof buf };
  export default module;
}
