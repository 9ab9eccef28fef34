// The vector that crosses exactly beside the gradients: [loss, share of right ones, each norm's mean [C] and variance [C]].

/** Where it holds what. */
export const LOSS = 0;
export const CORRECT = 1;
export const FIRST_STATISTIC = 2;

const RUNNING_MEAN = '.running_mean';

/** A norm's name, and its number of channels. */
export type NormChannels = readonly [name: string, channels: number];

/** The norms among a model's values, by name and number of elements, in the order of the vector. */
export const normsOf = (sizes: readonly (readonly [name: string, size: number])[]): NormChannels[] =>
  sizes.filter(([name]) => name.endsWith(RUNNING_MEAN)).map(([name, size]) => [name.slice(0, -RUNNING_MEAN.length), size]);

/** Elements of the vector. */
export const exactLength = (norms: readonly NormChannels[]): number =>
  norms.reduce((sum, [, channels]) => sum + 2 * channels, FIRST_STATISTIC);
