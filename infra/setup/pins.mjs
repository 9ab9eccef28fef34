// Makes the pins of trainer/src/runtime/wheels.ts again for another TensorFlow: `node infra/setup/pins.mjs 2.21.0 [linux-x64 cpu]`.
// Downloads each wheel through pip (4 GB for all of them), measures and hashes it, and prints the lines to put there.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { build } from './build.mjs';
import { REPOSITORY, run, SetupError, say } from './run.mjs';

/** Project on PyPI, by platform and variant. */
const SETS = [
  ['linux-x64', 'cpu', 'tensorflow-cpu'],
  ['linux-x64', 'gpu', 'tensorflow'],
  ['linux-arm64', 'cpu', 'tensorflow'],
  ['darwin-arm64', 'cpu', 'tensorflow'],
];
const built = (path) => import(new URL(`trainer/dist/runtime/${path}`, REPOSITORY).href);
const megabytes = (bytes) => Math.round(bytes / 1e6);

/** @returns {Promise<string>} path of the wheel that pip takes for a requirement on a set's platforms */
async function fetchWheel(requirement, { platforms }, python, parent) {
  const folder = await mkdtemp(join(parent, 'wheel-'));
  say(`downloading ${requirement}`);
  const { code, output } = await run([
    ...[
      'python3',
      '-m',
      'pip',
      'download',
      '--no-deps',
      '--no-cache-dir',
      '--only-binary=:all:',
      '--progress-bar=off',
      '--quiet',
    ],
    ...[`--python-version=${python.version}`, `--implementation=${python.implementation}`, `--abi=${python.abi}`, '--abi=none'],
    ...platforms.map((platform) => `--platform=${platform}`),
    ...['--dest', folder, requirement],
  ]);
  const [name] = await readdir(folder);
  if (code !== 0 || !name) throw new SetupError(`pip could not download ${requirement}: ${output.trim()}`);
  return join(folder, name);
}

/** The wheel's line in wheels.ts, in the order of its name and version. */
async function pinOf(path) {
  const [project, version] = path.split('/').at(-1).split('-');
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const { size } = await stat(path);
  return `wheel('${project.replaceAll('_', '-')}==${version}', ${megabytes(size)}, '${hash.digest('hex')}'),`;
}

/** Requirements on CUDA's wheels that TensorFlow's metadata names, such as "nvidia-cublas-cu12<13.0,>=12.5.3.2". */
async function cudaRequirements(path) {
  const zip = await openPromise(path, { autoClose: true });
  for await (const entry of zip.eachEntry()) {
    if (!entry.fileName.endsWith('.dist-info/METADATA')) continue;
    const chunks = [];
    for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    return [...text.matchAll(/^Requires-Dist: (nvidia-[^;]+?)\s*;.*and-cuda/gm)].map(([, requirement]) =>
      requirement.replace(/[ ()]/g, ''),
    );
  }
  throw new SetupError(`${path} has no metadata`);
}

async function bytesBelow(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(entries.filter((e) => e.isFile()).map((e) => stat(join(e.parentPath, e.name))));
  return sizes.reduce((sum, { size }) => sum + size, 0);
}

async function pinSet([platform, variant, project], version, parent) {
  const [{ wheelSet, WHEEL_PYTHON }, { unpackLibraries }] = await Promise.all([built('wheels.js'), built('unpack.js')]);
  const set = wheelSet(variant, platform);
  const wheels = [await fetchWheel(`${project}==${version}`, set, WHEEL_PYTHON, parent)];
  if (variant === 'gpu')
    for (const needed of await cudaRequirements(wheels[0])) wheels.push(await fetchWheel(needed, set, WHEEL_PYTHON, parent));
  const lines = [];
  for (const path of wheels) lines.push(await pinOf(path));
  const folder = join(parent, 'unpacked');
  await mkdir(folder);
  await unpackLibraries({ wheels, folder });
  process.stdout.write(
    `${platform} ${variant}: unpackedMegabytes: ${megabytes(await bytesBelow(folder))},\n${lines.join('\n')}\n`,
  );
  await rm(folder, { recursive: true });
}

const [version, platform, variant] = process.argv.slice(2);
const parent = await mkdtemp(join(tmpdir(), 'pins-'));
try {
  if (!/^\d+\.\d+\.\d+$/.test(version ?? ''))
    throw new SetupError('name a version of TensorFlow: node infra/setup/pins.mjs 2.21.0', 2);
  await build();
  for (const set of SETS)
    if ((platform ?? set[0]) === set[0] && (variant ?? set[1]) === set[1]) await pinSet(set, version, parent);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`error: ${error.message}`);
  process.exitCode = error.exitCode;
} finally {
  await rm(parent, { recursive: true, force: true });
}
