// Stock TensorFlow.js for comparison: `@tensorflow/tfjs-node` with its own binary, in a folder of the cache. The binary does not
// come from npm but is fetched by the package's install script, which many networks do not allow.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cache } from '../fixtures/python.mjs';

const VERSION = '4.22.0';
/** Its script tries to compile where it cannot download. */
const INSTALL_TIMEOUT_MS = 5 * 60_000;

/** Quoted where it is not run. */
export const QUOTED_STOCK =
  'ResNet-20 fp32, 150-176 img/s, tf.layers and trainOnBatch run eagerly on TensorFlow 2.21 on two cores of an AMD EPYC with AVX-512';

/** Folder that holds the package, installed where it is not there yet; undefined, with a line on stderr, where that fails. */
export function installStock() {
  const folder = join(cache, 'bench', `tfjs-node-${VERSION}`);
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  console.error(`bench: installing @tensorflow/tfjs-node ${VERSION} with its install script into ${folder} (400 MB)`);
  const flags = ['--ignore-scripts=false', '--no-audit', '--no-fund'];
  const { status } = spawnSync('npm', ['install', '--prefix', folder, ...flags, `@tensorflow/tfjs-node@${VERSION}`], {
    stdio: ['ignore', 2, 2],
    timeout: INSTALL_TIMEOUT_MS,
  });
  if (status !== 0) {
    console.error('bench: the package or its binary cannot be installed here; its figure is quoted instead');
    return undefined;
  }
  writeFileSync(complete, '');
  return folder;
}
