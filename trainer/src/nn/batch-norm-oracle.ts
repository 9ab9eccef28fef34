// Batch norm written out in double precision, for tests: as its definition says, without a thought for speed. Pixels are all but the channels.

export interface BatchNormCase {
  /** [pixels, channels], row-major, as are `dy` and the results. */
  readonly x: ArrayLike<number>;
  readonly dy: ArrayLike<number>;
  readonly scale: ArrayLike<number>;
  readonly offset: ArrayLike<number>;
  readonly epsilon: number;
}

export interface BatchNormResults {
  readonly y: number[];
  readonly mean: number[];
  readonly variance: number[];
  readonly dx: number[];
  readonly dscale: number[];
  readonly doffset: number[];
}

/** Results and gradients over one batch (Ioffe and Szegedy 2015, section 3). */
export function batchNormOracle({ x, dy, scale, offset, epsilon }: BatchNormCase): BatchNormResults {
  const channels = scale.length;
  const pixels = x.length / channels;
  const sum = (of: (i: number) => number): number[] =>
    Array.from({ length: channels }, (_, c) => {
      let total = 0;
      for (let p = 0; p < pixels; p++) total += of(p * channels + c);
      return total;
    });
  const mean = sum((i) => x[i]!).map((s) => s / pixels);
  const squares = sum((i) => (x[i]! - mean[i % channels]!) ** 2);
  const inverse = squares.map((s) => 1 / Math.sqrt(s / pixels + epsilon));
  const normalized = Array.from(x, (value, i) => (value - mean[i % channels]!) * inverse[i % channels]!);
  const doffset = sum((i) => dy[i]!);
  const dscale = sum((i) => dy[i]! * normalized[i]!);
  return {
    y: normalized.map((n, i) => n * scale[i % channels]! + offset[i % channels]!),
    mean,
    variance: squares.map((s) => s / Math.max(1, pixels - 1)),
    dx: normalized.map((n, i) => {
      const c = i % channels;
      return scale[c]! * inverse[c]! * (dy[i]! - (doffset[c]! + n * dscale[c]!) / pixels);
    }),
    dscale,
    doffset,
  };
}
