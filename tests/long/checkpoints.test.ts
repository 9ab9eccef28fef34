// Checkpoints and commits, thousands of times: what is killed, flipped or cut is never chosen. Figures are printed.
import { expect, test } from 'vitest';
import { damageNewest, killAtEveryOperation, SCENES } from '../faults/checkpoint-damage.js';

const scenes = Object.entries(SCENES);

test.each(scenes)('kill -9 at every file operation of saving %s', async (name, scene) => {
  const { before, next } = await killAtEveryOperation(scene);
  console.log(
    `${name}: killed at each operation, ${before + next} trials; found whole: the one before ${before} times, the new one ${next}`,
  );
  expect(Math.min(before, next)).toBeGreaterThan(5);
});

test.each(scenes.slice(0, 2))('thousands of flipped bits and cuts of %s', async (name, scene) => {
  const { flipped, cut } = await damageNewest(scene, 5000);
  console.log(`${name}: ${flipped} flipped bits and ${cut} cuts, all refused, the one before found each time`);
  expect(Math.min(flipped, cut)).toBeGreaterThan(1000);
});
