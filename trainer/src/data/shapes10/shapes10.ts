// shapes10: 50,000 + 10,000 drawn images of ten shapes, for machines without a dataset and without a network.
import type { LoadOptions } from '../contract.js';
import type { PackedSet, Packing } from '../pack.js';
import { SIZE } from './canvas.js';
import { CLASSES, drawExample } from './draw.js';

/** In the cache. The number counts up whenever the drawings change. */
export const SHAPES10_FILE = 'shapes10-v2.pack';
export const SHAPES10_SEED = 0;

const IMAGE_BYTES = SIZE * SIZE * 3;
/** Images drawn between two looks at the clock, the signal and the screen: some 50 ms. */
const BATCH = 500;

/** Counts of the two splits; tests draw fewer. */
export interface Shapes10Counts {
  readonly train: number;
  readonly test: number;
}

/** Draws both splits, classes in turn. */
export async function drawShapes10(
  { onProgress, signal }: Pick<LoadOptions, 'onProgress' | 'signal'>,
  counts: Shapes10Counts = { train: 50_000, test: 10_000 },
): Promise<Packing> {
  const total = counts.train + counts.test;
  let done = 0;
  const draw = async (split: 'train' | 'test'): Promise<PackedSet> => {
    const count = counts[split];
    const labels = Int32Array.from({ length: count }, (_, i) => i % CLASSES.length);
    const images = new Uint8Array(count * IMAGE_BYTES);
    const canvas = new Float64Array(IMAGE_BYTES);
    for (let index = 0; index < count; index++) {
      if (index % BATCH === 0) {
        // Lets timers, signals and the screen have their turn.
        await new Promise(setImmediate);
        signal?.throwIfAborted();
        onProgress?.({ what: 'drawing shapes10', done, total, unit: 'images' });
      }
      const into = images.subarray(index * IMAGE_BYTES, (index + 1) * IMAGE_BYTES);
      drawExample({ seed: SHAPES10_SEED, split, index, label: labels[index]! }, canvas, into);
      done++;
    }
    return { count, height: SIZE, width: SIZE, labels, images: [images] };
  };
  const packing = { name: 'shapes10', classes: CLASSES, train: await draw('train'), test: await draw('test') };
  onProgress?.({ what: 'drawing shapes10', done: total, total, unit: 'images' });
  return { ...packing, classes: [...CLASSES], notices: [], skipped: [] };
}
