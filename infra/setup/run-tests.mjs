// Runs vitest's projects and counts what they report.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { countTests } from './counts.mjs';
import { REPOSITORY, run } from './run.mjs';

const VITEST = fileURLToPath(new URL('node_modules/vitest/vitest.mjs', REPOSITORY));

/**
 * @param {string[]} projects of tests/vitest.config.ts
 * @param {string} node the Node that runs them
 * @returns {Promise<import('./counts.mjs').Counts>}
 */
export async function runTests(projects, node = process.execPath) {
  const folder = mkdtempSync(join(tmpdir(), 'trainer-tests-'));
  const file = join(folder, 'report.json');
  const chosen = projects.map((name) => `--project=${name}`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  try {
    const command = [node, VITEST, 'run', '--config=tests/vitest.config.ts', ...chosen, ...reporters];
    const { code } = await run(command, { show: true });
    return countTests(readIfThere(file), code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
