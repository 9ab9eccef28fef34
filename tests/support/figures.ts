// Figures of many trials, as one line for people.

const at = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;

/** 'median 12, p95 20, worst 31 ms'. */
export function spread(values: readonly number[], unit = 'ms'): string {
  if (values.length === 0) return 'none';
  const sorted = values.toSorted((a, b) => a - b);
  const [median, late, worst] = [at(sorted, 0.5), at(sorted, 0.95), sorted.at(-1)!].map((value) => value.toFixed(0));
  return `median ${median}, p95 ${late}, worst ${worst} ${unit}`;
}

export const percentile = (values: readonly number[], share: number): number =>
  at(
    values.toSorted((a, b) => a - b),
    share,
  );
