// Fills a batch's memory from an image set: augmented for training, as it is for evaluation. N images of H x W x 3 bytes.
import { randomStream } from '../random.js';
import type { ImageSet } from './contract.js';

/** Memory that the caller owns and uses again for each batch: images [N, H, W, 3], labels [N]. */
export interface BatchMemory {
  readonly images: Uint8Array;
  readonly labels: Int32Array;
}

export interface TrainingBatch {
  readonly set: ImageSet;
  /** The epoch's order; the batch is order[start .. start + count). */
  readonly order: Uint32Array;
  readonly start: number;
  readonly count: number;
  readonly seed: number;
  /** 1-based. */
  readonly epoch: number;
  /** Bytes of the pixels beyond the border: the training set's channel means, rounded. */
  readonly pad: readonly [number, number, number];
}

/** Pixels added on each side before the crop (He et al. 2015, section 4.2). */
const PADDING = 4;

/**
 * A random crop of the padded image and a flip in half of the cases, drawn from seed, epoch and the example's index alone, so
 * that the number of ranks and the batch size change nothing. The recipe pads normalized images with zeros; these are
 * still bytes, and the byte that normalizes to (nearly) zero is the channel's mean.
 */
export function fillTrainingBatch({ set, order, start, count, seed, epoch, pad }: TrainingBatch, into: BatchMemory): void {
  if (start + count > order.length) throw new RangeError(`batch ${start}..${start + count} of ${order.length} examples`);
  for (let n = 0; n < count; n++) {
    const index = order[start + n]!;
    const random = randomStream(seed, 'augment', epoch, index);
    const dy = random.below(2 * PADDING + 1) - PADDING;
    const dx = random.below(2 * PADDING + 1) - PADDING;
    const flip = random.below(2) === 1;
    crop(set, index, { dy, dx, flip, pad }, into.images, n);
    into.labels[n] = set.labels[index]!;
  }
}

/** Images indices[start ..], as many as fit. Returns how many; the rest of the memory is zero. */
export function fillEvaluationBatch(
  { set, indices, start }: { readonly set: ImageSet; readonly indices: Uint32Array; readonly start: number },
  into: BatchMemory,
): number {
  const length = set.height * set.width * 3;
  const count = Math.max(0, Math.min(into.labels.length, indices.length - start));
  for (let n = 0; n < count; n++) {
    const index = indices[start + n]!;
    into.images.set(set.images.subarray(index * length, (index + 1) * length), n * length);
    into.labels[n] = set.labels[index]!;
  }
  into.images.fill(0, count * length);
  into.labels.fill(0, count);
  return count;
}

interface Crop {
  /** Where the window starts in the image: from -PADDING to PADDING. */
  readonly dy: number;
  readonly dx: number;
  readonly flip: boolean;
  readonly pad: readonly [number, number, number];
}

function crop(set: ImageSet, index: number, { dy, dx, flip, pad }: Crop, images: Uint8Array, n: number): void {
  const { height, width } = set;
  const [first, last] = overlap(dy, height);
  const [left, right] = overlap(dx, width);
  const source = index * height * width;
  const target = n * height * width;
  fillPixels(images, target, target + first * width, pad);
  fillPixels(images, target + last * width, target + height * width, pad);
  if (flip) {
    for (let y = first; y < last; y++) {
      const row = target + y * width;
      // The window's column x lands in column width - 1 - x.
      fillPixels(images, row, row + width - right, pad);
      copyReversed(set.images, source + (y + dy) * width + left + dx, images, row + width - right, right - left);
      fillPixels(images, row + width - left, row + width, pad);
    }
    return;
  }
  // One copy for all rows: shifted as a block they only differ from the crop in the columns that the padding overwrites.
  const from = source + (first + dy) * width + left + dx;
  const pixels = (last - first) * width - (width - (right - left));
  if (pixels > 0) images.set(set.images.subarray(from * 3, (from + pixels) * 3), (target + first * width + left) * 3);
  for (let y = first; y < last; y++) {
    const row = target + y * width;
    fillPixels(images, row, row + left, pad);
    fillPixels(images, row + right, row + width, pad);
  }
}

/** The part [first, last) of a window of `size`, moved by `shift`, that lies within the image. */
function overlap(shift: number, size: number): [number, number] {
  const first = Math.min(size, Math.max(0, -shift));
  return [first, Math.max(first, Math.min(size, size - shift))];
}

/** Pixels [start, end). */
function fillPixels(images: Uint8Array, start: number, end: number, pixel: readonly [number, number, number]): void {
  for (let i = start * 3; i < end * 3; i += 3) {
    images[i] = pixel[0];
    images[i + 1] = pixel[1];
    images[i + 2] = pixel[2];
  }
}

function copyReversed(source: Uint8Array, from: number, target: Uint8Array, to: number, pixels: number): void {
  let i = (from + pixels - 1) * 3;
  for (let o = to * 3; o < (to + pixels) * 3; o += 3) {
    target[o] = source[i]!;
    target[o + 1] = source[i + 1]!;
    target[o + 2] = source[i + 2]!;
    i -= 3;
  }
}
