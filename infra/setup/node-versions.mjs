// `npm run test:nodes`: the unit tests with each Node that is promised. npm's packages bring the binaries into the cache.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';
import { countCheck, lastLine } from './counts.mjs';
import { installPackages } from './packages.mjs';
import { interruptible, npm, REPOSITORY, run, SetupError, say, secondsSince } from './run.mjs';
import { runTests } from './run-tests.mjs';

const VERSIONS = ['20.20.2', '22.23.3', '24.21.0'];
const PACKAGE = `node-${process.platform}-${process.arch}`;
const TRAINER = fileURLToPath(new URL('trainer/bin/trainer.mjs', REPOSITORY));

/** Path of that Node's binary, fetched the first time (about 50 MB to download, 190 MB on disk). */
async function fetchNode(version, cache) {
  const folder = join(cache, 'node-versions', version);
  const binary = join(folder, 'node_modules', PACKAGE, 'bin/node');
  if (existsSync(binary)) return binary;
  const began = performance.now();
  say(`fetching Node ${version} into ${folder} (about 50 MB)`);
  await mkdir(folder, { recursive: true });
  const fetched = await run(
    npm('install', '--prefix', folder, '--no-save', '--no-workspaces', '--ignore-scripts', `${PACKAGE}@${version}`),
  );
  if (!existsSync(binary))
    throw new SetupError(`npm could not fetch ${PACKAGE}@${version}: ${fetched.output.trim().split('\n').at(-1)}`);
  say(`fetched in ${secondsSince(began)}`);
  return binary;
}

async function testWith(version, cache) {
  const node = await fetchNode(version, cache);
  const doctor = await run([node, TRAINER, 'doctor'], { show: true });
  return [countCheck(doctor.code === 0), await runTests(['unit'], node)];
}

async function testAll() {
  await installPackages();
  await build();
  const { cacheDir } = await import(new URL('trainer/dist/runtime/paths.js', REPOSITORY).href);
  const all = [];
  for (const version of VERSIONS) {
    const counts = await testWith(version, cacheDir());
    all.push(...counts);
    say(`Node ${version}: ${lastLine(counts)}`);
  }
  return all;
}

try {
  const all = await interruptible(testAll);
  process.stdout.write(`${lastLine(all)}\n`);
  process.exitCode = all.some((c) => c.failed > 0) ? 1 : 0;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`error: ${error.message}`);
  process.exitCode = error.exitCode;
}
