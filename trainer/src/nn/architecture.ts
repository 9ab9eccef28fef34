// The two families of networks by their depths. No TensorFlow.js here: settings know these without loading it.
import { usageError } from '../errors.js';

export type Architecture = 'imagenet' | 'cifar';

export const FAMILIES: Readonly<
  Record<
    Architecture,
    { readonly widths: readonly number[]; readonly depths: string; blocksPerStage(depth: number): readonly number[] | undefined }
  >
> = {
  imagenet: {
    widths: [64, 128, 256, 512],
    depths: '18 or 34',
    blocksPerStage: (depth) => ({ 18: [2, 2, 2, 2], 34: [3, 4, 6, 3] })[depth],
  },
  cifar: {
    widths: [16, 32, 64],
    depths: '6n+2 layers: 8, 14, 20, 32, 44, 56, 110, ...',
    blocksPerStage: (depth) => ((depth - 2) % 6 === 0 && depth >= 8 ? Array<number>(3).fill((depth - 2) / 6) : undefined),
  },
};

/**
 * The family that a depth belongs to: 18 and 34 are `imagenet`, 6n+2 is `cifar`.
 * @throws TrainerError (usage) for a depth that neither has.
 */
export function architectureOf(depth: number): Architecture {
  if (FAMILIES.imagenet.blocksPerStage(depth)) return 'imagenet';
  if (FAMILIES.cifar.blocksPerStage(depth)) return 'cifar';
  throw usageError(`no network has depth ${depth}: choose ${FAMILIES.imagenet.depths}, or ${FAMILIES.cifar.depths}`);
}
