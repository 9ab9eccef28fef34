// Draws one example of shapes10: a few shapes of one kind on a textured ground, among strokes, with noise over all.
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
 * Each image draws its own difficulty between these ends, so that some images are learnt at once and others keep telling
 * networks apart: short runs of ResNet-20 end between half and three quarters right, plain-20 well below.
 *
 * Several small shapes that are lighter than their ground matter for that. With one large shape of any colour on any ground the
 * plain network learnt sooner: nothing short of its whole depth helps there, and what shortcuts carry is mostly texture.
 */
const EASIEST = {
  /** Pixels per unit of the outlines, which are about one unit in radius. */
  scale: 4.8,
  /** By how many levels, summed over channels, a shape is lighter than the ground on average. */
  lighter: 260,
  /** Levels that textures add or take at most. */
  contrast: 5,
  strokes: 0,
  noise: 5,
} as const;
export const HARDEST: Record<keyof typeof EASIEST, number> = { scale: 1.4, lighter: 85, contrast: 18, strokes: 4, noise: 15 };

const SHAPES_PER_IMAGE = { least: 2, most: 4 } as const;
/** Range of each channel of the ground and of strokes. */
const GROUND = { darkest: 10, lightest: 130 } as const;

/**
 * Writes example `index` of a split into 32 * 32 * 3 bytes. It depends on the arguments alone, and its label is right: all
 * its shapes are of one kind, and they lie over everything else.
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
  const from = groundColour(random);
  const to = groundColour(random);
  paintBackground(canvas, random, { from, to, contrast: hard('contrast') });
  for (let strokes = Math.round(hard('strokes')); strokes > 0; strokes--) randomStroke(canvas, random);
  const ground: Colour = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2, (from[2] + to[2]) / 2];
  const { least, most } = SHAPES_PER_IMAGE;
  for (let shapes = least + random.below(most - least + 1); shapes > 0; shapes--) {
    paintShape(canvas, OUTLINES[label]!, randomPlacement(random, hard('scale')), {
      colour: lighterThan(ground, random, hard('lighter')),
      texture: randomTexture(random),
      contrast: hard('contrast'),
    });
  }
  develop(canvas, random, hard('noise'), into);
}

const groundColour = (random: RandomStream): Colour => [
  between(random, GROUND.darkest, GROUND.lightest),
  between(random, GROUND.darkest, GROUND.lightest),
  between(random, GROUND.darkest, GROUND.lightest),
];

/** `by` levels on average, shared out among the channels at random. */
const lighterThan = ([r, g, b]: Colour, random: RandomStream, by: number): Colour => [
  r + (by / 3) * between(random, 0.4, 1.6),
  g + (by / 3) * between(random, 0.4, 1.6),
  b + (by / 3) * between(random, 0.4, 1.6),
];

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
  paintStroke(canvas, { ax, ay, bx, by, width: between(random, 0.6, 2) }, groundColour(random));
}
