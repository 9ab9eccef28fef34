// How a gradient is cut: into buckets that fit the shared region, and into the pieces of arrays that lie in each. Made once,
// followed at every exchange. All lengths are numbers of floats.
import type { ExchangeLayout, ExchangeMemory, Wire } from './contract.js';

/** The kernel works on whole blocks; memory for buckets is rounded up to them. */
export const BLOCK_FLOATS = 32;
/** Longer gradients go in two buckets at least: a rank that is ahead has something to do while it waits. */
const ALONE_FLOATS = 65_536;

/** Part of one array. */
export interface Piece {
  readonly part: keyof ExchangeMemory;
  readonly array: number;
  /** Where it begins in the array, and in the bucket. */
  readonly from: number;
  readonly at: number;
  readonly floats: number;
}

export interface Bucket {
  readonly wire: Wire;
  readonly floats: number;
  readonly pieces: readonly Piece[];
}

interface Span {
  readonly part: keyof ExchangeMemory;
  readonly array: number;
  readonly floats: number;
}

/** At least one bucket, if empty: its frame says at which step a rank is. */
export function planBuckets(layout: ExchangeLayout, wire: Wire, bucketFloats: number): Bucket[] {
  const spans = (part: keyof ExchangeMemory): Span[] => layout[part].map((floats, array) => ({ part, array, floats }));
  const gradients = spans('gradients');
  const exact = spans('exact');
  // In float32 all goes together: a small model needs one bucket.
  if (wire === 'fp32') return bucketsOf([...gradients, ...exact], 'fp32', bucketFloats);
  return [...bucketsOf(gradients, 'bf16', bucketFloats), ...(exact.length > 0 ? bucketsOf(exact, 'fp32', bucketFloats) : [])];
}

function bucketsOf(spans: readonly Span[], wire: Wire, bucketFloats: number): Bucket[] {
  const total = sum(spans.map(({ floats }) => floats));
  const evenFloats = evenBucket(total, bucketFloats);
  const cursor = new Cursor(spans);
  const buckets: Bucket[] = [];
  for (let left = total; left > 0 || buckets.length === 0; ) {
    const floats = Math.min(left, evenFloats);
    buckets.push({ wire, floats, pieces: cursor.take(floats) });
    left -= floats;
  }
  return buckets;
}

/** As few buckets as there can be, all of one size: a short last one would be waited for as long as a full one. */
function evenBucket(total: number, bucketFloats: number): number {
  const buckets = Math.max(Math.ceil(total / bucketFloats), total > ALONE_FLOATS ? 2 : 1);
  return Math.min(bucketFloats, blocksOf(total / buckets) * BLOCK_FLOATS);
}

/** Walks over the arrays as if they were one. */
class Cursor {
  #index = 0;
  #from = 0;
  constructor(readonly spans: readonly Span[]) {}

  take(wanted: number): Piece[] {
    const pieces: Piece[] = [];
    for (let at = 0; at < wanted; ) {
      const { part, array, floats: whole } = this.spans[this.#index]!;
      const floats = Math.min(whole - this.#from, wanted - at);
      if (floats > 0) pieces.push({ part, array, from: this.#from, at, floats });
      at += floats;
      this.#from += floats;
      if (this.#from === whole) {
        this.#index++;
        this.#from = 0;
      }
    }
    return pieces;
  }
}

/** Whole blocks that hold so many floats. */
export const blocksOf = (floats: number): number => Math.ceil(floats / BLOCK_FLOATS);

/** The blocks of a bucket that a rank averages: as many as any other's, give or take one. */
export function sliceOf(floats: number, ranks: number, rank: number): { readonly from: number; readonly blocks: number } {
  const blocks = blocksOf(floats);
  const from = Math.floor((blocks * rank) / ranks);
  return { from, blocks: Math.floor((blocks * (rank + 1)) / ranks) - from };
}

/** The layout in a few words: the same words are the same layout, but for a chance of one in four billion. */
export function describeLayout({ gradients, exact }: ExchangeLayout): string {
  let hash = 0x811c9dc5;
  // FNV-1a, over numbers instead of bytes: http://www.isthe.com/chongo/tech/comp/fnv/
  for (const value of [...gradients, -1, ...exact]) hash = Math.imul(hash ^ value, 0x01000193);
  const arrays = `${gradients.length}+${exact.length} arrays of ${sum(gradients)}+${sum(exact)} floats`;
  return `${arrays} (${(hash >>> 0).toString(16).padStart(8, '0')})`;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
