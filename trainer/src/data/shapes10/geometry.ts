// Outlines of the ten shapes as signed distances: negative inside, in units of the shape's own size.
// Only sums, products, quotients and square roots are used, which IEEE 754 rounds the same on every machine.

/** Sine of a full turn times `turns`, by its Taylor series on a quarter turn; off by less than 4e-6. */
export function sineOfTurns(turns: number): number {
  let t = turns - Math.floor(turns);
  if (t > 0.75) t -= 1;
  else if (t > 0.25) t = 0.5 - t;
  const x = 2 * Math.PI * t;
  const xx = x * x;
  return x * (1 - (xx / 6) * (1 - (xx / 20) * (1 - (xx / 42) * (1 - xx / 72))));
}

export const cosineOfTurns = (turns: number): number => sineOfTurns(turns + 0.25);

/** No outline reaches farther than this, its soft edge included: most pixels need no distance. */
export const OUTER_RADIUS = 1.55;

export type SignedDistance = (x: number, y: number) => number;

/** `points` are x, y pairs around a simple polygon. */
function polygon(points: readonly number[]): SignedDistance {
  const corners = Float64Array.from(points);
  return (x, y) => {
    let nearest = Number.POSITIVE_INFINITY;
    let inside = false;
    for (let i = 0, j = corners.length - 2; i < corners.length; j = i, i += 2) {
      const ex = corners[j]! - corners[i]!;
      const ey = corners[j + 1]! - corners[i + 1]!;
      const px = x - corners[i]!;
      const py = y - corners[i + 1]!;
      const along = Math.min(1, Math.max(0, (px * ex + py * ey) / (ex * ex + ey * ey)));
      const dx = px - ex * along;
      const dy = py - ey * along;
      nearest = Math.min(nearest, dx * dx + dy * dy);
      // An edge that a ray to the right crosses.
      if (py < 0 !== py - ey < 0 && px < (py / ey) * ex) inside = !inside;
    }
    return inside ? -Math.sqrt(nearest) : Math.sqrt(nearest);
  };
}

/** Corners on circles of the given radii in turn, the first at the top. */
function radial(corners: number, ...radii: number[]): number[] {
  return Array.from({ length: corners }, (_, i) => {
    const radius = radii[i % radii.length]!;
    return [radius * sineOfTurns(i / corners), -radius * cosineOfTurns(i / corners)];
  }).flat();
}

const disc =
  (radius: number, cx = 0, cy = 0): SignedDistance =>
  (x, y) =>
    Math.sqrt((x - cx) ** 2 + (y - cy) ** 2) - radius;

const without =
  (shape: SignedDistance, hole: SignedDistance): SignedDistance =>
  (x, y) =>
    Math.max(shape(x, y), -hole(x, y));

const HEART = [0, 0.95, -0.6, 0.4, -0.95, -0.1, -0.95, -0.5, -0.7, -0.8, -0.35, -0.8, 0, -0.45];
const ARROW = [0, -1, 0.75, -0.1, 0.3, -0.1, 0.3, 1, -0.3, 1, -0.3, -0.1, -0.75, -0.1];
const CROSS = [-0.3, -0.95, 0.3, -0.95, 0.3, -0.3, 0.95, -0.3, 0.95, 0.3, 0.3, 0.3];

const mirrored = (half: readonly number[], sx: number, sy: number): number[] => half.map((v, i) => v * (i % 2 === 0 ? sx : sy));

/** Class names in the order of their labels, with outlines of about the same area, so that size gives nothing away. */
export const SHAPES: Readonly<Record<string, SignedDistance>> = {
  circle: disc(0.8),
  square: polygon(radial(4, 1)),
  triangle: polygon(radial(3, 1.1)),
  star: polygon(radial(10, 1.1, 0.5)),
  cross: polygon([...CROSS, ...mirrored(CROSS, -1, -1)]),
  ring: without(disc(0.95), disc(0.48)),
  crescent: without(disc(0.98), disc(0.75, 0.45, 0)),
  heart: polygon([...HEART, 0.35, -0.8, 0.7, -0.8, 0.95, -0.5, 0.95, -0.1, 0.6, 0.4]),
  arrow: polygon(ARROW),
  hexagon: polygon(radial(6, 0.9)),
};
