import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { CLASSES, drawExample, HARDEST } from './draw.js';
import { cosineOfTurns, OUTER_RADIUS, SHAPES, sineOfTurns } from './geometry.js';
import { drawShapes10 } from './shapes10.js';

const draw = (split: 'train' | 'test', index: number, label: number, seed = 0): Uint8Array => {
  const image = new Uint8Array(3072);
  drawExample({ seed, split, index, label }, new Float64Array(3072), image);
  return image;
};

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('shapes10', () => {
  it('draws the same images for ever, on every machine', () => {
    const images = CLASSES.map((_, label) => draw(label % 2 === 0 ? 'train' : 'test', 100 + label, label));
    expect(sha256(Buffer.concat(images))).toMatchInlineSnapshot(
      `"4df0a4cf22b22f16c2b53ec2911e5b0d9303db57c6775a2f16b64942cd0e4215"`,
    );
  });

  it('draws each example by itself, whatever the canvas held before', () => {
    const canvas = new Float64Array(3072).fill(1e6);
    const image = new Uint8Array(3072);
    drawExample({ seed: 0, split: 'train', index: 5, label: 5 }, canvas, image);
    expect(image).toEqual(draw('train', 5, 5));
  });

  it('draws other images for another index, split or seed', () => {
    const images = [draw('train', 1, 0), draw('train', 2, 0), draw('test', 1, 0), draw('train', 1, 0, 1)];
    expect(new Set(images.map(sha256)).size).toBe(4);
  });

  it('has ten classes, equally often in both splits', async () => {
    const { train, test, classes } = await drawShapes10({}, { train: 200, test: 50 });
    expect(classes).toEqual(['circle', 'square', 'triangle', 'star', 'cross', 'ring', 'crescent', 'heart', 'arrow', 'hexagon']);
    for (const [set, each] of [
      [train, 20],
      [test, 5],
    ] as const) {
      expect(set).toMatchObject({ count: each * 10, height: 32, width: 32 });
      for (let label = 0; label < 10; label++) expect(set.labels.filter((l) => l === label)).toHaveLength(each);
    }
    expect(Buffer.concat([...train.images]).subarray(5 * 3072, 6 * 3072)).toEqual(Buffer.from(draw('train', 5, 5)));
  });

  it('tells how far it is and stops when told to', async () => {
    const done: number[] = [];
    const controller = new AbortController();
    const onProgress = (p: { done: number }): void => {
      done.push(p.done);
      if (p.done > 0) controller.abort(new Error('interrupted'));
    };
    await expect(drawShapes10({ onProgress, signal: controller.signal }, { train: 5000, test: 10 })).rejects.toThrow(
      'interrupted',
    );
    expect(done).toEqual([0, 500]);
  });
});

describe('the outlines', () => {
  it.each(Object.entries(SHAPES))('of %s is a distance: it changes no faster than one moves', (_name, distance) => {
    for (let y = -1.5; y < 1.5; y += 0.1) {
      for (let x = -1.5; x < 1.5; x += 0.1) {
        expect(Math.abs(distance(x + 0.1, y) - distance(x, y))).toBeLessThan(0.1 + 1e-9);
        expect(Math.abs(distance(x, y + 0.1) - distance(x, y))).toBeLessThan(0.1 + 1e-9);
      }
    }
  });

  it.each(Object.entries(SHAPES))('of %s holds about as much as the others', (_name, distance) => {
    let inside = 0;
    for (let y = -1.5; y < 1.5; y += 0.02) for (let x = -1.5; x < 1.5; x += 0.02) inside += distance(x, y) < 0 ? 0.0004 : 0;
    expect(inside).toBeGreaterThan(1.3);
    expect(inside).toBeLessThan(2.3);
  });

  it.each(Object.entries(SHAPES))('of %s stays within the outer radius, a pixel of soft edge included', (_name, distance) => {
    for (let turn = 0; turn < 1; turn += 0.001) {
      const d = distance(OUTER_RADIUS * cosineOfTurns(turn), OUTER_RADIUS * sineOfTurns(turn));
      expect(d * HARDEST.scale).toBeGreaterThan(0.5);
    }
  });

  it('come from a sine that is right to five digits', () => {
    for (let turns = -2; turns < 2; turns += 0.01) expect(sineOfTurns(turns)).toBeCloseTo(Math.sin(2 * Math.PI * turns), 5);
  });
});
