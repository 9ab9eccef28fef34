// A small folder of real image files to train on: three classes that differ in colour and stripes.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { randomStream } from '../../trainer/src/random.js';

const SIDE = 16;
const CLASSES = ['amber', 'azure', 'striped'] as const;

/** `train/CLASS/N.png` and `test/CLASS/N.png` below `folder`. */
export async function writeImageFolder(folder: string, { train, test }: { train: number; test: number }): Promise<void> {
  for (const [part, count] of [
    ['train', train],
    ['test', test],
  ] as const) {
    for (const name of CLASSES) {
      const target = join(folder, part, name);
      await mkdir(target, { recursive: true });
      await Promise.all(
        Array.from({ length: count }, (_, i) =>
          sharp(drawing(name, `${part} ${i}`), { raw: { width: SIDE, height: SIDE, channels: 3 } })
            .png()
            .toFile(join(target, `${i}.png`)),
        ),
      );
    }
  }
}

function drawing(name: (typeof CLASSES)[number], label: string): Buffer {
  const random = randomStream(7, name, label);
  return Buffer.from(
    Array.from({ length: SIDE * SIDE * 3 }, (_, i) => {
      const channel = i % 3;
      const row = Math.floor(i / (SIDE * 3));
      const bright = { amber: channel === 0, azure: channel === 2, striped: row % 4 < 2 }[name];
      return (bright ? 120 : 60) + random.below(80);
    }),
  );
}
