// Draws one example of shapes10: a shape on a textured background, among strokes and specks, with noise over all.
import { type RandomStream, randomStream } from '../../random.js';
import {
  between,
  type Canvas,
  type Colour,
  develop,
  type Placement,
  paintBackground,
  paintShape,
  paintStroke,
  randomTexture,
  SIZE,
} from './canvas.js';
import { cosineOfTurns, SHAPES, sineOfTurns } from './geometry.js';

export const CLASSES: readonly string[] = Object.keys(SHAPES);
const OUTLINES = Object.values(SHAPES);

/**
 * Each image draws its own difficulty between these ends, so that some classes of images are learnt at once and others keep
 * telling networks apart. Set so that short runs of small networks end between half and three quarters right.
 */
const EASIEST = { scale: 13, distance: 180, contrast: 5, strokes: 0, noise: 5 } as const;
export const HARDEST: Record<keyof typeof EASIEST, number> = { scale: 7, distance: 90, contrast: 28, strokes: 3, noise: 30 };

/**
 * Writes example `index` of a split into 32 * 32 * 3 bytes. It depends on the arguments alone, and its label is right: one
 * shape is drawn, whole and over everything else.
 */
export function drawExample(
  { seed, split, index, label }: { seed: number; split: 'train' | 'test'; index: number; label: number },
  canvas: Canvas,
  into: Uint8Array,
): void {
  const random = randomStream(seed, 'shapes10', split, index);
  const difficulty = random.uniform();
  /** Somewhere on the way from easiest to hardest, give or take a little. */
  const hard = (what: keyof typeof EASIEST): number =>
    EASIEST[what] + (HARDEST[what] - EASIEST[what]) * Math.min(1, Math.max(0, difficulty + between(random, -0.15, 0.15)));
  const from = randomColour(random);
  const to = randomColour(random);
  paintBackground(canvas, random, { from, to, contrast: hard('contrast') });
  for (let strokes = Math.round(hard('strokes')); strokes > 0; strokes--) randomStroke(canvas, random);
  const background: Colour = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2, (from[2] + to[2]) / 2];
  paintShape(canvas, OUTLINES[label]!, randomPlacement(random, hard('scale')), {
    colour: colourAwayFrom(background, random, hard('distance')),
    texture: randomTexture(random),
    contrast: hard('contrast'),
  });
  develop(canvas, random, hard('noise'), into);
}

const randomColour = (random: RandomStream): Colour => [
  between(random, 20, 235),
  between(random, 20, 235),
  between(random, 20, 235),
];

/** `distance`: least sum of the differences of the channels. */
function colourAwayFrom(other: Colour, random: RandomStream, distance: number): Colour {
  for (;;) {
    const colour = randomColour(random);
    if (colour.reduce((sum, value, c) => sum + Math.abs(value - other[c]!), 0) >= distance) return colour;
  }
}

/** Any rotation, a stretch and a slant; the shape's middle stays within the image. */
function randomPlacement(random: RandomStream, scale: number): Placement {
  const turn = random.uniform();
  const [cos, sin] = [cosineOfTurns(turn), sineOfTurns(turn)];
  const stretch = between(random, 0.8, 1.25);
  const slant = between(random, -0.25, 0.25);
  const room = SIZE / 2 - scale;
  // Rows of the map from pixels to units: turn, then slant and stretch.
  return {
    x: SIZE / 2 + between(random, -room, room),
    y: SIZE / 2 + between(random, -room, room),
    scale,
    inverse: [
      (cos * stretch + slant * -sin) / scale,
      (sin * stretch + slant * cos) / scale,
      -sin / stretch / scale,
      cos / stretch / scale,
    ],
  };
}

function randomStroke(canvas: Canvas, random: RandomStream): void {
  const [ax, ay] = [between(random, 0, SIZE), between(random, 0, SIZE)];
  const [bx, by] = [ax + between(random, -14, 14), ay + between(random, -14, 14)];
  paintStroke(canvas, { ax, ay, bx, by, width: between(random, 0.6, 2) }, randomColour(random));
}
