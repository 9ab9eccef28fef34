import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadLibrary } from './capi.js';
import { LIBRARIES } from './library-names.js';

test('a folder without the library, and a library that cannot be loaded, are told in one line with exit code 3', () => {
  const folder = mkdtempSync(join(tmpdir(), 'capi-'));
  try {
    expect(() => loadLibrary(folder)).toThrow(
      expect.objectContaining({ exitCode: 3, message: expect.stringMatching(/trainer setup/) }),
    );
    writeFileSync(join(folder, LIBRARIES[0]), 'not a library');
    expect(() => loadLibrary(folder)).toThrow(
      expect.objectContaining({ exitCode: 3, message: expect.stringMatching(/cannot load.*trainer doctor/) }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
