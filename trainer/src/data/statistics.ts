// Mean and deviation of each colour channel: what normalizes the images of every epoch.
import type { ChannelStatistics, ImageSet } from './contract.js';

/**
 * Least deviation reported, in grey levels. A channel that never changes (greyscale scans, a blank channel) would otherwise
 * have the images divided by zero; one level is the finest difference that bytes can show.
 */
export const MINIMUM_STD = 1;

/**
 * Population statistics of the pixels of the images at `indices`, channel by channel, on the 0..255 scale. Sums of bytes and
 * of their squares are whole numbers below 2^53, so they are exact and do not depend on the order of the images.
 *
 * @throws RangeError without images.
 */
export function channelStatistics(set: ImageSet, indices: Uint32Array): ChannelStatistics {
  if (indices.length === 0) throw new RangeError('channel statistics need at least one image');
  const length = set.height * set.width * 3;
  const sums = new Float64Array(6);
  for (const index of indices) addImage(set.images, index * length, length, sums);
  const pixels = indices.length * set.height * set.width;
  const mean = (c: number): number => sums[c]! / pixels;
  const std = (c: number): number => Math.max(MINIMUM_STD, Math.sqrt(sums[3 + c]! / pixels - mean(c) ** 2));
  return { mean: [mean(0), mean(1), mean(2)], std: [std(0), std(1), std(2)] };
}

/** Adds one image's bytes to sums[0..2] by channel, and their squares to sums[3..5]. */
function addImage(images: Uint8Array, start: number, length: number, sums: Float64Array): void {
  let [r, g, b, rr, gg, bb] = [0, 0, 0, 0, 0, 0];
  for (let i = start; i < start + length; i += 3) {
    const [red, green, blue] = [images[i]!, images[i + 1]!, images[i + 2]!];
    r += red;
    g += green;
    b += blue;
    rr += red * red;
    gg += green * green;
    bb += blue * blue;
  }
  [r, g, b, rr, gg, bb].forEach((sum, i) => {
    sums[i]! += sum;
  });
}
