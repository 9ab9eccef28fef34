// Compiles the sources when they are not those that were compiled last.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { REPOSITORY, run, SetupError, say, secondsSince } from './run.mjs';

const at = (path) => new URL(path, REPOSITORY);
const PACKAGES = ['protocol', 'trainer'];
const STAMP = at('trainer/dist/.sources');
const ENTRY = at('trainer/dist/cli/main.js');
const COMPILER = fileURLToPath(at('node_modules/typescript-7/bin/tsc'));
/** What all ranks' gradients are averaged with: AssemblyScript, of its own compiler. */
const KERNEL = ['trainer/kernel/reduce.ts', 'trainer/kernel/asconfig.json'];
const COMPILED_KERNEL = at('trainer/dist/allreduce/reduce.wasm');
const KERNEL_COMPILER = fileURLToPath(at('node_modules/assemblyscript/bin/asc.js'));

/** Names, sizes and times of all sources and settings: a few milliseconds. */
function fingerprint() {
  const hash = createHash('sha256');
  const add = (path) => {
    const { size, mtimeMs } = statSync(at(path));
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  };
  for (const path of ['tsconfig.base.json', 'package-lock.json', ...KERNEL]) add(path);
  for (const name of PACKAGES) {
    add(`${name}/tsconfig.json`);
    for (const path of readdirSync(at(`${name}/src`), { recursive: true }).sort())
      if (path.endsWith('.ts')) add(`${name}/src/${path}`);
  }
  return hash.digest('hex');
}

/** @throws {SetupError} with exit code 1 where the sources do not compile. */
export async function build() {
  const sources = fingerprint();
  if ([ENTRY, COMPILED_KERNEL, STAMP].every((path) => existsSync(path)) && readFileSync(STAMP, 'utf8') === sources) return;
  const began = performance.now();
  say('compiling the sources (a few seconds)');
  // The compiler itself, not turbo: it knows best what has changed, and takes a tenth of a second when nothing has.
  await compile([COMPILER, '-b', ...PACKAGES]);
  if (!isKernelCompiled()) await compile([KERNEL_COMPILER, '--config', fileURLToPath(at(KERNEL[1]))]);
  writeFileSync(STAMP, sources);
  say(`compiled in ${secondsSince(began)}`);
}

function isKernelCompiled() {
  if (!existsSync(COMPILED_KERNEL)) return false;
  const { mtimeMs } = statSync(COMPILED_KERNEL);
  return KERNEL.every((path) => statSync(at(path)).mtimeMs < mtimeMs);
}

async function compile(command) {
  const { code, output } = await run([process.execPath, ...command]);
  if (code === 0) return;
  process.stderr.write(output);
  throw new SetupError('the sources do not compile', 1);
}
