// The steps of `npm test`: packages, build, checks of the repository, library, tests. The last line on stdout counts them.
import { fileURLToPath } from 'node:url';
import { countCheck, lastLine } from './counts.mjs';
import { installPackages } from './packages.mjs';
import { interruptible, REPOSITORY, run, SetupError, say, secondsSince } from './run.mjs';
import { runTests } from './run-tests.mjs';

const tool = (path, ...args) => [process.execPath, fileURLToPath(new URL(path, REPOSITORY)), ...args];
const BUILD = ['build', tool('node_modules/turbo/bin/turbo', 'run', 'build', '--ui=stream', '--output-logs=errors-only')];
const CHECKS = [
  ['biome', tool('node_modules/@biomejs/biome/bin/biome', 'ci', '--colors=off', '.')],
  ['import zones', tool('infra/setup/zones.mjs')],
  ['knip', tool('node_modules/knip/bin/knip.js')],
];
const PROJECTS = { usual: ['unit', 'product'], '--long': ['unit', 'product', 'long'], '--checks': [] };

/** @returns {Promise<number>} the exit code: 0 where nothing failed */
export async function test(args) {
  const projects = PROJECTS[args[0] ?? 'usual'];
  if (args.length > 1 || !projects) {
    say(`error: npm test knows --long and --checks, not "${args.join(' ')}"`);
    return 2;
  }
  try {
    const counts = await interruptible(() => runAll(projects));
    process.stdout.write(`${lastLine(counts)}\n`);
    return counts.some((c) => c.failed > 0) ? 1 : 0;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(`error: ${error.message}`);
    process.stdout.write(`${lastLine([countCheck(false)])}\n`);
    return error.exitCode;
  }
}

async function runAll(projects) {
  await installPackages();
  // Checks and tests read what the build writes.
  const counts = [await check(BUILD)];
  for (const one of CHECKS) counts.push(await check(one));
  if (projects.length === 0) return counts;
  await installLibrary();
  return [...counts, await runTests(projects)];
}

async function check([name, command]) {
  const began = performance.now();
  const { code, output } = await run(command);
  if (code !== 0) process.stderr.write(`${output}\n`);
  say(`${code === 0 ? 'ok    ' : 'FAILED'} ${name} (${secondsSince(began)})`);
  return countCheck(code === 0);
}

/** Tests of the compiled engine are skipped where there can be no library; a failed installation fails them. */
async function installLibrary() {
  const { code } = await run(tool('trainer/bin/trainer.mjs', 'setup'), { show: true });
  if (code !== 0) say('the tests go on without the native library');
}
