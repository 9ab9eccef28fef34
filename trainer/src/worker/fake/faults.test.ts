import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SimulatedClock } from '../../simulation/clock.js';
import { FaultPlan } from './faults.js';
import { type FakeFault, fakeDeviceOf } from './options.js';

const at = { rank: 0, step: 1, phase: 'apply' } as const;

/** A process that meets a fault; it would say so if it got past. */
function meeting(fault: FakeFault) {
  const program = `
    import { writeSync } from 'node:fs';
    import { FaultPlan } from '${new URL('../../../dist/worker/fake/faults.js', import.meta.url)}';
    setInterval(() => writeSync(1, ' a timer'), 1);
    writeSync(1, 'before');
    new FaultPlan([${JSON.stringify(fault)}], 0).meet('apply', 'resnet', 1);
    writeSync(1, ' past');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  return { child, output: () => output };
}

describe('a fault', () => {
  it('ends its process by exit or by SIGKILL', async () => {
    const [exits, dies] = [meeting({ ...at, do: 'exit' }), meeting({ ...at, do: 'kill' })];
    await Promise.all([once(exits.child, 'close'), once(dies.child, 'close')]);
    expect([exits.child.exitCode, exits.output()]).toEqual([7, 'before']);
    expect([dies.child.signalCode, dies.output()]).toEqual(['SIGKILL', 'before']);
  });

  it('stops its thread for good', async () => {
    const { child, output } = meeting({ ...at, do: 'freeze-thread' });
    await once(child.stdout, 'data');
    await sleep(50);
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(output()).toBe('before');
  });

  it('waits on its clock, or for ever', async () => {
    const clock = new SimulatedClock();
    const past: string[] = [];
    const wait = (fault: FakeFault, name: string): void =>
      void new FaultPlan([fault], 0, clock).await('apply', 'resnet', 1).then(() => past.push(name));
    wait({ ...at, do: 'slow', ms: 100 }, 'slow');
    wait({ ...at, do: 'freeze-js' }, 'frozen');
    await clock.advance(99);
    expect(past).toEqual([]);
    await clock.advance(1e6);
    expect(past).toEqual(['slow']);
  });

  it('that waits says that it cannot where nothing is waited for', () => {
    expect(() => new FaultPlan([{ ...at, phase: 'place', do: 'freeze-js' }], 0).meet('place', 'resnet', 1)).toThrow(
      'cannot freeze-js in place',
    );
  });

  it('with a marker happens once in all processes together', () => {
    const folder = mkdtempSync(join(tmpdir(), 'fault-'));
    const fault: FakeFault = { ...at, do: 'throw', once: join(folder, 'marker') };
    expect(() => new FaultPlan([fault], 0).meet('apply', 'resnet', 1)).toThrow('throws as it was told to');
    expect(new FaultPlan([fault], 0).meet('apply', 'resnet', 1)).toBeUndefined();
    rmSync(folder, { recursive: true });
  });
});

describe('the fake device of an environment', () => {
  it('is read from JSON, and refused in one line where it is none', () => {
    const faults: FakeFault[] = [{ ...at, do: 'slow', ms: 5 }];
    const env = (value: unknown) => ({ TRAINER_FAKE_DEVICE: JSON.stringify(value) });
    expect(fakeDeviceOf({})).toBeUndefined();
    expect(fakeDeviceOf(env({}))).toEqual({ seed: 0, stepMs: [0, 0], faults: [] });
    expect(fakeDeviceOf(env({ seed: 3, stepMs: [1, 2], faults }))).toEqual({ seed: 3, stepMs: [1, 2], faults });
    for (const bad of [{ faults: [{ ...at, do: 'explode' }] }, { steps: 1 }, 1])
      expect(() => fakeDeviceOf(env(bad))).toThrow(/^TRAINER_FAKE_DEVICE is no description of a fake device: .+$/);
    expect(() => fakeDeviceOf({ TRAINER_FAKE_DEVICE: '{' })).toThrow('TRAINER_FAKE_DEVICE');
  });
});
