// Losses of a small run as they were when they were written down, by 1 and by 2 workers: what changes them shows.
// `UPDATE_GOLDEN=1 npx vitest run --config tests/vitest.config.ts --project product tests/parity/golden && npm run format`
// writes them down again.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { relativeError } from '../../trainer/src/nn/oracle.js';
import { describeCpu } from '../../trainer/src/runtime/devices.js';
import { writeImageFolder } from '../support/images.js';
import { noLibrary } from '../support/library.js';
import { lossesOf } from '../support/run-files.js';
import { runTrainer, temporaryFolder } from '../support/trainer.js';

interface Golden {
  /** What decides the last bits. */
  readonly library: string;
  readonly instructions: string;
  readonly cores: number;
  /** Of each step, ResNet and plain net in turn. */
  readonly losses: readonly number[];
}

const STEPS = 12;
/**
 * Elsewhere. Other kernels sum in another order: ten roundings by 2^-24 a step; norms of a few examples divide by deviations that may
 * be small, and pass that on to the next layer: ten times that.
 */
const TOLERANCE = STEPS * 100 * 2 ** -24;

const folder = await temporaryFolder();
beforeAll(() => writeImageFolder(join(folder.path, 'images'), { train: 36, test: 10 }));
afterAll(() => folder.remove());

describe.skipIf(noLibrary)('golden losses', () => {
  for (const workers of [1, 2])
    test(`of ${workers === 1 ? '1 worker' : `${workers} workers`}`, async () => {
      const file = new URL(`golden/workers-${workers}.json`, import.meta.url);
      const now = await train(workers);
      if (process.env['UPDATE_GOLDEN']) await writeFile(file, `${JSON.stringify(now, null, 2)}\n`);
      const golden = JSON.parse(await readFile(file, 'utf8')) as Golden;
      const same = (['library', 'instructions', 'cores'] as const).every((key) => now[key] === golden[key]);
      if (same) expect(now.losses).toEqual(golden.losses);
      else expect(relativeError(now.losses, golden.losses)).toBeLessThan(TOLERANCE);
    });
});

async function train(workers: number): Promise<Golden> {
  const name = `golden-${workers}`;
  const size = ['--preset', 'full', '--depth', '8', '--width', '0.25', '--batch-size', '8', '--lr', '0.05', '--epochs', '1'];
  const args = ['start', '--data', 'images', ...size, '--precision', 'fp32', '--max-steps', `${STEPS}`, '--name', name];
  const ended = await runTrainer([...args, '--workers', `${workers}`], { cwd: folder.path });
  expect(ended.code, ended.stderr).toBe(0);
  const run = join(folder.path, 'runs', name);
  const { versions } = JSON.parse(await readFile(join(run, 'metadata.json'), 'utf8')) as { versions: { library: string } };
  const { cores, features } = await describeCpu();
  return { library: versions.library, instructions: features.join(' '), cores, losses: await lossesOf(run) };
}
