import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findLibrary } from './library.js';
import { LIBRARIES } from './library-names.js';
import { probeLibrary } from './probe.js';

const library = await findLibrary();

// Its process must also end well: TensorFlow's threads outlive the JavaScript that loaded it.
test.skipIf(!library)('an installed library tells its version and devices, and its process ends well', async () => {
  const probe = await probeLibrary(library!.folder);
  expect(probe.version).toMatch(/^\d+\.\d+\.\d+/);
  expect(probe.devices).toContainEqual({ name: '/device:CPU:0', type: 'CPU', memoryMegabytes: expect.any(Number) });
});

test('a library that cannot be loaded is told in one line with exit code 3', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'probe-'));
  try {
    writeFileSync(join(folder, LIBRARIES[0]), 'not a library');
    await expect(probeLibrary(folder)).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringMatching(/^[^\n]*does not work: cannot load[^\n]*$/),
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
