// `trainer start` as a process, on real image files: what it leaves behind, how it stops, how it goes on.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeImageFolder } from '../support/images.js';
import { noLibrary } from '../support/library.js';
import { lossesOf, metricsOf, resultsOf, weightsOf } from '../support/run-files.js';
import { runTrainer, startTrainer, temporaryFolder } from '../support/trainer.js';

const folder = await temporaryFolder();
const images = join(folder.path, 'images');
/** Two nets of 8 layers and a quarter of the width: 12 steps an epoch of 8 images. */
const TINY = ['--data', images, '--preset', 'full', '--depth', '8', '--width', '0.25', '--batch-size', '8', '--epochs', '2'];
const where = { cwd: folder.path };

beforeAll(() => writeImageFolder(images, { train: 36, test: 10 }));
afterAll(() => folder.remove());

const start = (name: string, ...args: string[]) => startTrainer(['start', ...TINY, '--name', name, ...args], where);
const runPath = (...parts: string[]): string => join(folder.path, 'runs', ...parts);
const readRun = (...parts: string[]): Promise<Buffer> => readFile(runPath(...parts));

describe('trainer start', () => {
  it('trains the pair to the end and leaves a complete run folder', async () => {
    const ended = await start('whole', '--json').ended;
    expect(ended, ended.stderr).toMatchObject({ code: 0, signal: null });
    const summary = JSON.parse(ended.stdout);
    expect(summary).toMatchObject({ status: 'finished', epochs: 2, dataset: 'images', path: runPath('whole') });
    expect(summary.models.resnet.parameters).toBeGreaterThan(summary.models.plain.parameters);
    expect(await readdir(runPath('whole'))).toEqual(
      expect.arrayContaining([
        'checkpoints',
        'config.yaml',
        'gap',
        'gradients.npz',
        'metadata.json',
        'metrics.csv',
        'metrics.jsonl',
        'output.log',
        'plain',
        'report.html',
        'resnet',
        'summary.json',
      ]),
    );
    expect(JSON.parse((await readRun('whole', 'summary.json')).toString())).toMatchObject({ status: 'finished' });
    const rows = await metricsOf(runPath('whole'));
    // 108 images less 11 to validate: 13 steps an epoch, the last of a single image.
    expect(Math.max(...rows.map((row) => row.step))).toBe(26);
    expect(new Set(rows.map((row) => row.name.split('/')[0]))).toEqual(
      new Set(['train', 'lr', 'time', 'grad_norm', 'weight_norm', 'update_ratio', 'epoch', 'val', 'test', 'gap']),
    );
  });

  it('gives the same bits again from the same seed', async () => {
    const ended = await start('again').ended;
    expect(ended.code, ended.stderr).toBe(0);
    expect(await weightsOf(runPath('again'))).toEqual(await weightsOf(runPath('whole')));
    expect(await resultsOf(runPath('again'))).toEqual(await resultsOf(runPath('whole')));
  });

  it('stops at SIGINT with exit code 130, and goes on to the bits of the undisturbed run', async () => {
    // So many that the signal comes before the end, however fast the machine.
    const epochs = ['--epochs', '8'];
    const undisturbed = await start('undisturbed', ...epochs).ended;
    expect(undisturbed.code, undisturbed.stderr).toBe(0);
    const run = start('stopped', '-v', ...epochs);
    await run.said(/epoch 1\/8/);
    run.process.kill('SIGINT');
    const stopped = await run.ended;
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.stderr).toMatch(/--resume .*stopped/);
    expect(JSON.parse((await readRun('stopped', 'summary.json')).toString())).toMatchObject({ status: 'interrupted' });
    const resumed = await runTrainer(['start', '--resume', 'last'], where);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stderr).toContain('runs/stopped');
    expect(await weightsOf(runPath('stopped'))).toEqual(await weightsOf(runPath('undisturbed')));
    expect(await resultsOf(runPath('stopped'))).toEqual(await resultsOf(runPath('undisturbed')));
  });

  it('stops while it loads, and before the first step, with exit code 143', async () => {
    const run = startTrainer(['start', '--data', images, '--preset', 'quick', '--batch-size', '8', '--name', 'early'], where);
    await run.said(/timing a few steps/);
    run.process.kill('SIGTERM');
    const ended = await run.ended;
    expect(ended.code, ended.stderr).toBe(143);
    expect(ended.stderr).not.toContain('error');
    const drawing = startTrainer(['start', '--data', 'shapes10'], {
      ...where,
      env: { TRAINER_CACHE_DIR: join(folder.path, 'cache') },
    });
    await drawing.said(/drawing shapes10/);
    drawing.process.kill('SIGINT');
    const stopped = await drawing.ended;
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.stderr).toContain('before the first step');
  });

  it('writes a checkpoint at SIGUSR2 and goes on; saves at SIGTERM and ends with 143', async () => {
    const run = start('signalled', '-v', '--epochs', '500', '--checkpoint-every', '500', '--val-split', '0');
    await run.said(/epoch 2\/500/);
    run.process.kill('SIGUSR2');
    await run.said(/checkpoint .*checkpoints\/\d+/);
    run.process.kill('SIGTERM');
    const ended = await run.ended;
    expect(ended.code, ended.stderr).toBe(143);
    expect((await readdir(runPath('signalled', 'checkpoints'))).filter((name) => /^\d+$/.test(name)).length).toBe(2);
  });

  it('ends with exit code 4 when a loss is no number, and keeps the last good checkpoint', async () => {
    const ended = await start('diverged', '--lr', '1e6', '--norm', 'none').ended;
    expect(ended.code, ended.stderr).toBe(4);
    expect(ended.stderr).toMatch(/error: (ResNet|Plain)-8 diverged: .* (at|after) step \d+; .*checkpoint/);
    expect(JSON.parse((await readRun('diverged', 'summary.json')).toString())).toMatchObject({ status: 'diverged' });
  });

  it('trains several seeds and reports their mean', async () => {
    const ended = await start('seeds', '--seeds', '2', '--epochs', '1').ended;
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toMatch(/train error +\d+\.\d% sd \d+\.\d/);
    expect(await readdir(runPath())).toEqual(expect.arrayContaining(['seeds-seed42', 'seeds-seed43']));
  });

  it.skipIf(noLibrary)('trains on WebAssembly to the same losses, within rounding', async () => {
    const ended = await start('wasm', '--engine', 'wasm', '--max-steps', '3').ended;
    expect(ended.code, ended.stderr).toBe(0);
    const short = await start('short', '--max-steps', '3').ended;
    expect(short.code, short.stderr).toBe(0);
    const [ours, theirs] = [await lossesOf(runPath('wasm')), await lossesOf(runPath('short'))];
    expect(ours).toHaveLength(6);
    // Two engines sum in different orders: 6e-8 an operation, through batch norms that divide by deviations of small batches.
    for (const [i, loss] of ours.entries()) expect(Math.abs(loss / theirs[i]! - 1)).toBeLessThan(1e-3);
  });

  it('starts from given weights, and refuses those of another model', async () => {
    const init = runPath('whole', 'checkpoints', '26', 'plain.safetensors');
    const ended = await start('given', '--model', 'plain', '--init', init, '--max-steps', '1', '--lr', '1e-20', '--json').ended;
    expect(ended.code, ended.stderr).toBe(0);
    const refused = await start('refused', '--model', 'plain', '--init', init, '--width', '0.5').ended;
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/error: .*plain\.safetensors has conv1\.weight of shape .*the model wants/);
  });
});
