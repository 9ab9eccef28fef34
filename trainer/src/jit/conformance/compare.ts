// Whether a result is what the oracle says: type and shape exactly, integers exactly, floats to rounding.
import type { HostTensor } from '../contract.js';

/**
 * Largest difference allowed between float results, relative to the largest value expected in the tensor. Both sides compute
 * in float32 (unit roundoff 6e-8), but sum in different orders, and TensorFlow approximates transcendental functions to a few
 * units in the last place: an error of n roundoffs for sums of n terms, n up to 600 in the table, of which rounding to both
 * sides leaves about sqrt(n). 1e-5 is 160 roundoffs; a wrong attribute or a lost term is off by 1e-2 or more.
 */
const TOLERANCE = 1e-5;

/** The first way in which `actual` is not `expected`, or undefined. */
export function difference(actual: HostTensor, expected: HostTensor, tolerance = TOLERANCE): string | undefined {
  if (actual.dtype !== expected.dtype) return `type ${actual.dtype}, expected ${expected.dtype}`;
  if (`${actual.shape}` !== `${expected.shape}`) return `shape [${actual.shape}], expected [${expected.shape}]`;
  if (actual.data.length !== expected.data.length) return `${actual.data.length} values, expected ${expected.data.length}`;
  const limit = expected.dtype === 'float32' ? tolerance * scaleOf(expected.data) : 0;
  for (let i = 0; i < expected.data.length; i++) {
    const [a, e] = [actual.data[i]!, expected.data[i]!];
    if (!isClose(a, e, limit)) return `value ${i} is ${a}, expected ${e} to within ${limit}`;
  }
  return undefined;
}

/** Infinities and NaN must be met exactly. */
function isClose(a: number, e: number, limit: number): boolean {
  if (!Number.isFinite(e)) return Object.is(a, e);
  return Math.abs(a - e) <= limit;
}

/** The largest finite value, at least 1e-3: below that a difference is rounding of what cancelled. */
function scaleOf(values: ArrayLike<number>): number {
  let largest = 1e-3;
  for (let i = 0; i < values.length; i++) if (Number.isFinite(values[i])) largest = Math.max(largest, Math.abs(values[i]!));
  return largest;
}
