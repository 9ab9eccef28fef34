// How `trainer start` ends when something is wrong for good, or is told to: its exit code, what it says, what it leaves.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectSame, fakeRuns, happenedAt, type RunRead, undisturbedRun } from '../support/fake-runs.js';
import { childrenOf, ended, openDescriptors, threads } from '../support/processes.js';
import { supervise } from '../support/supervised.js';
import { runTrainer } from '../support/trainer.js';

const runs = await fakeRuns();
let undisturbed: RunRead;

beforeAll(async () => {
  undisturbed = await undisturbedRun(runs);
});
afterAll(() => runs.remove());

async function happened(marker: string): Promise<void> {
  while (happenedAt(marker) === undefined) await sleep(5);
}

describe('a rank that is frozen', () => {
  test('does not keep a second Ctrl-C from ending everything at once', async () => {
    const once = runs.marker('second');
    const run = runs.start('second', { faults: [{ do: 'freeze-thread', rank: 1, phase: 'gradients', step: 20, once }] });
    await happened(once);
    const children = childrenOf(run.process.pid!);
    expect(children).toHaveLength(1);
    run.process.kill('SIGINT');
    // Signals of one kind that come at once are one.
    await sleep(100);
    run.process.kill('SIGINT');
    await ended([run.process.pid!, ...children], 2000);
    expect(await run.ended).toMatchObject({ code: 130, signal: null });
  });

  test('ends a run that is to stop with exit code 75 and what is saved', async () => {
    const once = runs.marker('first');
    const faults = [{ do: 'freeze-thread', rank: 1, phase: 'gradients', step: 20, once } as const];
    const run = runs.start('first', { faults, flags: ['--deadline', '1'] });
    await happened(once);
    run.process.kill('SIGINT');
    const { code, stderr } = await run.ended;
    expect(code, stderr).toBe(75);
    expect(stderr).toMatch(
      /error: training failed while it was to stop: rank 1 is frozen: .*\(step 20\); all up to step 13 is saved in .*13: .*--resume /,
    );
    const resumed = await runs.resume('first');
    expect(resumed.code, resumed.stderr).toBe(0);
    expectSame(await runs.read('first'), undisturbed);
  });
});

describe('restarts', () => {
  test('that are used up end with exit code 75, each failure, and a command that goes on', async () => {
    const { code, stderr } = await runs.run('used-up', {
      faults: [{ do: 'throw', rank: 1, phase: 'apply', step: 20 }],
      flags: ['--max-restarts', '1', '--commit-every', '0.1'],
    });
    expect(code, stderr).toBe(75);
    const line = /^error: .*/m.exec(stderr)![0];
    expect(line).toMatch(
      /failed 2 times, .*: 1\. after step 19: rank 1 failed: .*; 2\. after step \d+: rank 1 failed: .*saved in /,
    );
    // As it was called: trainer start, npx trainer start, npm start --.
    const [, flags] = /once the cause is mended, (?:np[mx] )?(?:trainer )?start (?:-- )?(--resume .*)$/.exec(line)!;
    const resumed = await runTrainer(['start', ...flags!.split(' ')], { cwd: runs.path, env: runs.env() });
    expect(resumed.code, resumed.stderr).toBe(0);
    expectSame(await runs.read('used-up'), undisturbed);
  });

  test.each(['place', 'snapshot'] as const)('begin from the beginning where nothing was saved (killed in %s)', async (phase) => {
    const out = `early-${phase}`;
    const faults = [{ do: 'kill', rank: 0, phase, step: 0, once: runs.marker(out) } as const];
    const { code, stderr } = await runs.run(out, { faults });
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(
      /warning: training failed before the first step: the coordinator was killed by SIGKILL.*from the beginning/,
    );
    expectSame(await runs.read(out), undisturbed);
  });

  test('leave no descriptor, thread or listener behind', async () => {
    const faults = [15, 20, 25].map(
      (step, i) => ({ do: 'kill', rank: 0, phase: 'apply', step, once: runs.marker(`left-${i}`) }) as const,
    );
    const inventory = () => ({ descriptors: openDescriptors(), threads: threads(), listeners: process.listenerCount('exit') });
    const before = inventory();
    const { error, warnings } = await supervise({ runs, out: 'left', faults });
    expect(error).toBeUndefined();
    expect(warnings).toHaveLength(3);
    expect(inventory()).toEqual(before);
  });
});

describe('what cannot be mended by beginning anew', () => {
  test('a loss that is no number ends with exit code 4 at once', async () => {
    const { code, stderr } = await runs.run('nan', { faults: [{ do: 'nan', rank: 1, phase: 'gradients', step: 20 }] });
    expect(code, stderr).toBe(4);
    expect(stderr).not.toContain('restart');
    expect(stderr).toMatch(/error: ResNet-8 diverged: its loss is NaN at step 20; the last good checkpoint is .*13; lower --lr/);
  });

  test('a setting that does not fit ends with exit code 2 at once', async () => {
    const { code, stderr } = await runs.run('misfit', { flags: ['--batch-size', '500'] });
    expect(code, stderr).toBe(2);
    expect(stderr).not.toContain('restart');
  });

  test('a disk that takes no more ends with exit code 3 at once', async () => {
    const full = spawn('sh', ['-c', 'ulimit -f 60; exec "$0" "$@"', process.execPath, ...runs.command('full')], {
      cwd: runs.path,
      env: { ...process.env, ...runs.env() },
    });
    let stderr = '';
    full.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    const [code] = await once(full, 'close');
    expect(code, stderr).toBe(3);
    expect(stderr).not.toContain('restart');
    expect(stderr).toMatch(
      /^error: cannot write .*: the file would be larger .*; the newest save is of step \d+: .*--resume .*full/m,
    );
  });

  test('a run folder that was removed ends with exit code 3', async () => {
    const run = runs.start('removed', { flags: ['--commit-every', '0.1'] });
    await run.said(/epoch 1\/4/);
    // In one step, as files go on being made in it.
    renameSync(join(runs.path, 'removed', readdirSync(join(runs.path, 'removed'))[0]!), join(runs.path, 'gone'));
    const { code, stderr } = await run.ended;
    expect(code, stderr).toBe(3);
    expect(stderr).not.toContain('restart');
  });
});

test('weights that differ between ranks stop the run, named by step and layer, and it goes on from before', async () => {
  const faults = [{ do: 'corrupt', rank: 1, phase: 'apply', step: 20, side: 'resnet', once: runs.marker('corrupt') } as const];
  const { error, warnings } = await supervise({ runs, out: 'corrupt', faults });
  expect(error).toBeUndefined();
  expect(warnings).toEqual([
    expect.stringMatching(
      /after step \d+ rank 1 does not hold the weights of rank 0: they differ in resnet value of conv1\.weight/,
    ),
  ]);
  expectSame(await runs.read('corrupt'), undisturbed);
});
