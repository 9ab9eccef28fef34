// `trainer start` on several workers, as processes and threads: the same bits each time, also after stops; other numbers of workers.
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { relativeError } from '../../trainer/src/nn/oracle.js';
import { randomStream } from '../../trainer/src/random.js';
import { writeImageFolder } from '../support/images.js';
import { lossesOf, metricsOf, resultsOf, standingOf, weightsOf } from '../support/run-files.js';
import { type Ended, runTrainer, startTrainer, temporaryFolder } from '../support/trainer.js';

const folder = await temporaryFolder();
const images = join(folder.path, 'images');
/** 97 images to train in batches of 8: 13 steps an epoch, the last of a single image. */
const TINY = ['--data', images, '--preset', 'full', '--depth', '8', '--width', '0.25', '--batch-size', '8'];
const where = { cwd: folder.path };

beforeAll(() => writeImageFolder(images, { train: 36, test: 10 }));
afterAll(() => folder.remove());

const start = (name: string, ...args: string[]) => startTrainer(['start', ...TINY, '--name', name, ...args], where);
const runPath = (...parts: string[]): string => join(folder.path, 'runs', ...parts);

async function finish(run: Promise<Ended>): Promise<Ended> {
  const ended = await run;
  expect(ended.code, ended.stderr).toBe(0);
  return ended;
}

describe('trainer start --workers 2', () => {
  it('says what each rank gets, and records what each does with its time', async () => {
    const { stderr } = await finish(start('pair', '--workers', '2', '--epochs', '2').ended);
    expect(stderr).toMatch(/2 ranks: 4 of each batch's 8 images a rank, gradients averaged in fp32/);
    const names = new Set((await metricsOf(runPath('pair'))).map(({ name }) => name));
    for (const rank of [0, 1])
      for (const part of ['compute', 'pack', 'wait', 'reduce', 'unpack', 'apply'])
        expect(names).toContain(`${part}_ms/rank${rank}`);
    expect(names).toContain('time/exchange_share');
  });

  it('gives the same bits again from the same seed', async () => {
    await finish(start('again', '--workers', '2', '--epochs', '2').ended);
    expect(await weightsOf(runPath('again'))).toEqual(await weightsOf(runPath('pair')));
    expect(await resultsOf(runPath('again'))).toEqual(await resultsOf(runPath('pair')));
  });

  it('goes on from stops at any step to the bits of the undisturbed run', async () => {
    const length = ['--workers', '2', '--epochs', '6'];
    await finish(start('undisturbed', ...length).ended);
    const random = randomStream(5, 'stops');
    let run = start('stopped', '-v', ...length);
    for (let stops = 0; stops < 3; stops++) {
      await run.said(/epochs of 13 steps/);
      await sleep(100 + random.below(200));
      run.process.kill('SIGINT');
      const { code, stderr } = await run.ended;
      // However fast the machine, the first comes before the end.
      if (code === 0 && stops > 0) break;
      expect(code, stderr).toBe(130);
      run = startTrainer(['start', '--resume', runPath('stopped')], where);
    }
    await finish(run.ended);
    expect(await weightsOf(runPath('stopped'))).toEqual(await weightsOf(runPath('undisturbed')));
    expect(await resultsOf(runPath('stopped'))).toEqual(await resultsOf(runPath('undisturbed')));
    expect(await standingOf(runPath('stopped'))).toEqual(await standingOf(runPath('undisturbed')));
  });
});

describe('--resume with another number of workers', () => {
  const EXACT = ['--norm', 'none', '--lr', '0.02', '--epochs', '2'];
  /** Of the losses: sums in another order, some ten roundings by 2^-24 in each of 26 steps. */
  const TOLERANCE = 26 * 10 * 2 ** -24;

  beforeAll(async () => {
    await finish(start('one', ...EXACT, '--workers', '1').ended);
    await finish(start('two', ...EXACT, '--workers', '2').ended);
    await cp(runPath('two'), runPath('two-copied'), { recursive: true });
  });

  for (const { from, before, now, said } of [
    { from: 'two', before: 2, now: 1, said: '2 ranks before, 1 rank now' },
    { from: 'two-copied', before: 2, now: 3, said: '2 ranks before, 3 ranks now' },
    { from: 'one', before: 1, now: 2, said: '1 rank before, 2 ranks now' },
  ])
    it(`goes on from ${before} to ${now} with the same images in the same order, and says so`, async () => {
      const run = runPath(from);
      const whole = { losses: await lossesOf(run), results: await resultsOf(run) };
      const half = join(run, 'checkpoints', '13');
      const { stderr } = await finish(runTrainer(['start', '--resume', half, '--workers', `${now}`], where));
      expect(stderr).toContain(`${said}: the same images in the same order, results equal to rounding`);
      const losses = await lossesOf(run);
      expect(relativeError(losses, whole.losses)).toBeLessThan(TOLERANCE);
      const state = JSON.parse(await readFile(join(run, 'checkpoints', '26', 'state.json'), 'utf8'));
      expect(state).toMatchObject({ step: 26, ranks: now });
    });
});
