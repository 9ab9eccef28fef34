import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkZones, RULES } from './zones.mjs';

let folder: string;

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
};
const violations = async (): Promise<string[]> => (await checkZones(pathToFileURL(`${folder}/`))).violations;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zones-'));
  write('protocol/src/index.ts', 'export const one = 1;\n');
  for (const name of ['koffi', '@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-backend-wasm']) {
    write(`node_modules/${name}/package.json`, `{"name":"${name}","main":"index.js"}`);
    write(`node_modules/${name}/index.js`, '');
  }
  for (const path of [
    'runtime/capi',
    'runtime/devices',
    'jit/contract',
    'jit/session',
    'nn/layers',
    'worker/train',
    'worker/engine',
    'cli/main',
    'data/load',
    'errors',
  ])
    write(`trainer/src/${path}.ts`, 'export const one = 1;\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['protocol/src/index.ts', '../../trainer/src/errors.js', 'protocol-alone'],
  ['trainer/src/runtime/devices.ts', '../jit/session.js', 'runtime-zone'],
  ['trainer/src/jit/session.ts', '../nn/layers.js', 'jit-zone'],
  ['trainer/src/nn/layers.ts', '../jit/session.js', 'nn-zone'],
  ['trainer/src/nn/layers.ts', '../worker/train.js', 'nn-zone'],
  ['trainer/src/fallback/x.ts', '../runtime/devices.js', 'fallback-zone'],
  ['trainer/src/data/load.ts', '../worker/train.js', 'data-zone'],
  ['trainer/src/optim/x.ts', '../nn/layers.js', 'optim-zone'],
  ['trainer/src/report/x.ts', '../cli/main.js', 'report-zone'],
  ['trainer/src/worker/train.ts', '../cli/main.js', 'cli-on-top'],
  ['trainer/src/worker/train.ts', '../runtime/capi.js', 'native-library'],
  ['trainer/src/worker/train.ts', 'koffi', 'koffi'],
  ['trainer/src/cli/main.ts', '@tensorflow/tfjs-node-gpu', 'tfjs-node'],
  ['trainer/src/cli/main.ts', '@tensorflow/tfjs-backend-wasm', 'tfjs-wasm'],
  ['trainer/src/cli/main.ts', './not-there.js', 'resolvable'],
])('%s may not import %s', async (from, to, rule) => {
  write(from, `export * from '${to}';\n`);
  expect(await violations()).toContainEqual(expect.stringMatching(new RegExp(`^${from} -> .*: ${rule} \\(`)));
});

test('imports of types count, but make no cycle', async () => {
  write('trainer/src/runtime/devices.ts', "import type { one } from '../cli/main.js';\nexport type A = typeof one;\n");
  expect(await violations()).toContainEqual(expect.stringContaining('runtime-zone'));
  write('trainer/src/runtime/devices.ts', "import type { A } from './capi.js';\nexport type B = A;\n");
  write('trainer/src/runtime/capi.ts', "import type { B } from './devices.js';\nexport type A = B;\n");
  expect(await violations()).toEqual([]);
});

test('modules may not import each other in a circle', async () => {
  write('trainer/src/data/load.ts', "export * from './pack.js';\n");
  write('trainer/src/data/pack.ts', "export { one } from './load.js';\n");
  expect(await violations()).toContainEqual(expect.stringContaining('no-cycles'));
});

test('what the zones allow is no violation, and tests may import anything', async () => {
  write('trainer/src/worker/engine.ts', "export * from '../runtime/capi.js';\n");
  write('trainer/src/jit/session.ts', "export * from '../runtime/capi.js';\nexport * from './contract.js';\n");
  write('trainer/src/cli/main.ts', "export * from '../worker/train.js';\n");
  write('trainer/src/runtime/capi.ts', "export * from 'koffi';\nexport * from 'node:fs';\n");
  write('trainer/src/nn/layers.test.ts', "export * from '../cli/main.js';\n");
  const { violations: found, modules } = await checkZones(pathToFileURL(`${folder}/`));
  expect(found).toEqual([]);
  expect(modules).toBe(11);
});

test('every rule says why it is there', () => {
  for (const { comment } of RULES) expect(comment).toMatch(/\w/);
});
