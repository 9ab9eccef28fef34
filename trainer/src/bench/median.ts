// The one summary of repeated timings.

/** @param values not empty */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

export const round = (value: number, digits: number): number => Number(value.toFixed(digits));
