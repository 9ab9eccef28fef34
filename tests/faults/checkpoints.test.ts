// Checkpoints and commits against what really happens to processes and disks; tests/long has more of it.
import { expect, test } from 'vitest';
import { damageNewest, killAtEveryOperation, SCENES } from './checkpoint-damage.js';

test.each(['a checkpoint', 'a commit'] as const)(
  'kill -9 at every file operation of saving %s leaves the one before or the new one, whole',
  async (scene) => {
    const { before, next } = await killAtEveryOperation(SCENES[scene]);
    expect(before).toBeGreaterThan(20);
    expect(next).toBeGreaterThan(5);
  },
);

test.each(['a checkpoint', 'a commit'] as const)(
  'flipped bits and cut files of %s are all refused, and the one before is used with a notice',
  async (scene) => {
    const { flipped, cut } = await damageNewest(SCENES[scene], 200);
    expect(flipped).toBeGreaterThan(100);
    expect(cut).toBeGreaterThan(20);
  },
);
