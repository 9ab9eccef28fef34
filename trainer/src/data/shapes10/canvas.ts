// A small canvas of floating-point pixels: backgrounds, outlines with soft edges, strokes, noise.
import type { RandomStream } from '../../random.js';
import { cosineOfTurns, OUTER_RADIUS, type SignedDistance, sineOfTurns } from './geometry.js';

export const SIZE = 32;

export type Colour = readonly [number, number, number];

/** Red, green and blue of each pixel in rows, nominally 0..255. */
export type Canvas = Float64Array;

/** How bright a texture is at a pixel, in -1..1. */
type Texture = (x: number, y: number) => number;

export const between = (random: RandomStream, low: number, high: number): number => low + (high - low) * random.uniform();

/** Stripes of any direction, width and phase. */
function stripes(random: RandomStream): Texture {
  const [turn, frequency, phase] = [random.uniform(), between(random, 0.06, 0.35), random.uniform()];
  const [fx, fy] = [frequency * cosineOfTurns(turn), frequency * sineOfTurns(turn)];
  return (x, y) => sineOfTurns(x * fx + y * fy + phase);
}

/** Clouds: random values on a coarse grid, blended in between. */
function clouds(random: RandomStream): Texture {
  const cells = 2 + random.below(7);
  const side = cells + 2;
  const values = Float64Array.from({ length: side * side }, () => between(random, -1, 1));
  return (x, y) => {
    const column = Math.floor((x * cells) / SIZE);
    const row = Math.floor((y * cells) / SIZE);
    const s = (x * cells) / SIZE - column;
    const t = (y * cells) / SIZE - row;
    const i = row * side + column;
    const top = values[i]! * (1 - s) + values[i + 1]! * s;
    return top * (1 - t) + (values[i + side]! * (1 - s) + values[i + side + 1]! * s) * t;
  };
}

export const randomTexture = (random: RandomStream): Texture => (random.below(2) === 0 ? stripes(random) : clouds(random));

/** How a shape lies on the canvas: centre in pixels and the inverse of its linear map (pixels to the shape's units). */
export interface Placement {
  readonly x: number;
  readonly y: number;
  readonly inverse: readonly [number, number, number, number];
  /** Pixels per unit, for the soft edge. */
  readonly scale: number;
}

export interface Paint {
  readonly colour: Colour;
  readonly texture: Texture;
  /** Levels that the texture adds or takes at most. */
  readonly contrast: number;
}

/** From (ax, ay) to (bx, by), all in pixels. */
export interface Stroke {
  readonly ax: number;
  readonly ay: number;
  readonly bx: number;
  readonly by: number;
  readonly width: number;
}

/** Covers the canvas where `shape` lies, with an edge one pixel soft. */
export function paintShape(
  canvas: Canvas,
  shape: SignedDistance,
  { x: cx, y: cy, inverse, scale }: Placement,
  { colour, texture, contrast }: Paint,
): void {
  const [a, b, c, d] = inverse;
  const reach = scale * 2;
  const [left, right] = pixelRange(cx - reach, cx + reach);
  const [top, bottom] = pixelRange(cy - reach, cy + reach);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const dx = x + 0.5 - cx;
      const dy = y + 0.5 - cy;
      const u = a * dx + b * dy;
      const v = c * dx + d * dy;
      if (u * u + v * v > OUTER_RADIUS * OUTER_RADIUS) continue;
      const covered = 0.5 - shape(u, v) * scale;
      if (covered > 0) blend(canvas, y * SIZE + x, colour, contrast * texture(x, y), covered);
    }
  }
}

/** A straight stroke with round ends. */
export function paintStroke(canvas: Canvas, { ax, ay, bx, by, width }: Stroke, colour: Colour): void {
  const ex = bx - ax;
  const ey = by - ay;
  const squaredLength = Math.max(1e-9, ex * ex + ey * ey);
  const reach = width / 2 + 0.5;
  const [left, right] = pixelRange(Math.min(ax, bx) - reach, Math.max(ax, bx) + reach);
  const [top, bottom] = pixelRange(Math.min(ay, by) - reach, Math.max(ay, by) + reach);
  for (let y = top; y < bottom; y++) {
    for (let x = left; x < right; x++) {
      const px = x + 0.5 - ax;
      const py = y + 0.5 - ay;
      const along = Math.min(1, Math.max(0, (px * ex + py * ey) / squaredLength));
      const dx = px - ex * along;
      const dy = py - ey * along;
      const covered = reach - Math.sqrt(dx * dx + dy * dy);
      if (covered > 0) blend(canvas, y * SIZE + x, colour, 0, covered);
    }
  }
}

/** Pixels whose middles may lie between two coordinates: [first, end). */
const pixelRange = (low: number, high: number): [number, number] => [
  Math.max(0, Math.floor(low)),
  Math.min(SIZE, Math.ceil(high)),
];

function blend(canvas: Canvas, pixel: number, colour: Colour, shade: number, covered: number): void {
  const alpha = Math.min(1, covered);
  const i = pixel * 3;
  canvas[i] = canvas[i]! * (1 - alpha) + (colour[0] + shade) * alpha;
  canvas[i + 1] = canvas[i + 1]! * (1 - alpha) + (colour[1] + shade) * alpha;
  canvas[i + 2] = canvas[i + 2]! * (1 - alpha) + (colour[2] + shade) * alpha;
}

/** Covers the whole canvas with a gradient between two colours, textured. */
export function paintBackground(
  canvas: Canvas,
  random: RandomStream,
  { from, to, contrast }: { readonly from: Colour; readonly to: Colour; readonly contrast: number },
): void {
  const texture = randomTexture(random);
  const turn = random.uniform();
  const [gx, gy] = [cosineOfTurns(turn) / SIZE, sineOfTurns(turn) / SIZE];
  for (let y = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      const share = Math.min(1, Math.max(0, 0.5 + gx * (x - SIZE / 2) + gy * (y - SIZE / 2)));
      const shade = contrast * texture(x, y);
      const i = (y * SIZE + x) * 3;
      canvas[i] = from[0] * (1 - share) + to[0] * share + shade;
      canvas[i + 1] = from[1] * (1 - share) + to[1] * share + shade;
      canvas[i + 2] = from[2] * (1 - share) + to[2] * share + shade;
    }
  }
}

/**
 * Writes the canvas as bytes, each with its own noise of at most `noise` levels, small values likelier. Noise needs 3,072
 * numbers an image: they come from a generator whose state stays in a register (xorshift32, Marsaglia 2003).
 */
export function develop(canvas: Canvas, random: RandomStream, noise: number, into: Uint8Array): void {
  let bits = random.uint32() | 1;
  for (let i = 0; i < canvas.length; i++) {
    bits ^= bits << 13;
    bits ^= bits >>> 17;
    bits ^= bits << 5;
    // The difference of two uniform numbers: a triangle from -1 to 1.
    const grain = ((bits & 0xffff) - (bits >>> 16)) / 0x10000;
    into[i] = Math.min(255, Math.max(0, Math.round(canvas[i]! + noise * grain)));
  }
}
