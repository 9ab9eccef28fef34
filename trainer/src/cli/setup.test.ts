import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakePython } from '../runtime/fake-python.js';
import { LIBRARIES } from '../runtime/library-names.js';
import { wheelSet } from '../runtime/wheels.js';
import { InstallBar } from './install-bar.js';
import { runSetup } from './setup.js';

const options = { variant: 'cpu', quiet: false, verbose: false, progress: true, color: 'never' } as const;
let python: FakePython;
let said = '';

const io = (env: NodeJS.ProcessEnv, isTTY = false) => {
  const stderr = { write: (text: string) => (said += text), isTTY };
  return { stdout: { write: () => true }, stderr, env, cwd: python.folder };
};

beforeEach(() => {
  python = new FakePython();
  said = '';
});
afterEach(() => rmSync(python.folder, { recursive: true, force: true }));

describe('trainer setup', () => {
  test('without Python ends with exit code 3 and one line', async () => {
    expect(await runSetup(options, io({ ...python.env, PATH: '/nothing' }))).toBe(3);
    expect(said).toMatch(/^no Python 3 with pip was found: [^\n]*\n$/);
  });

  test.skipIf(!wheelSet('cpu'))('tries the library that it installed', async () => {
    for (const { requirement } of wheelSet('cpu')!.wheels)
      python.wheel(requirement, { [`tensorflow/${LIBRARIES[0]}`]: 'not a library' });
    await expect(runSetup(options, io(python.env))).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(/does not work/),
    });
    expect(said).toMatch(/installing TensorFlow .* MB to download/);
  });

  test.skipIf(!wheelSet('cpu'))('is interrupted by SIGINT with exit code 130, and says that it can be repeated', async () => {
    python.before('kill -INT $PPID; exec /bin/sleep 30');
    expect(await runSetup(options, io(python.env))).toBe(130);
    expect(said).toMatch(/set-up interrupted: repeat it to go on\n$/);
  });
});

describe('the progress of an installation', () => {
  const at = (doneMegabytes: number) => ({ what: 'download', doneMegabytes, totalMegabytes: 200 }) as const;

  test('is a bar on a terminal, redrawn at most ten times a second, and wiped at the end', () => {
    const bar = new InstallBar(io({ LANG: 'C' }, true), true);
    for (let ms = 1000; ms < 2000; ms += 10) bar.update(at((ms - 1000) / 10), ms);
    bar.end();
    const draws = said.split('\r\x1b[K').filter((line) => line !== '');
    expect(draws).toHaveLength(10);
    expect(draws[5]).toMatch(/^downloading =+\|*-* *.*50\/200 MB, 100 MB\/s, 2 s left$/);
    expect(said).toMatch(/\r\x1b\[K$/);
  });

  test('is a plain line every 30 s elsewhere', () => {
    const bar = new InstallBar(io({}, false), true);
    for (let s = 0; s <= 65; s++) bar.update(at(s), s * 1000);
    bar.end();
    expect(said.split('\n').filter((line) => line !== '')).toHaveLength(2);
    expect(said).not.toContain('\r');
  });
});
