// The steps of `npm start`: packages, build, library, training. Each says what it does when there is something to do.
import module from 'node:module';
import { build } from './build.mjs';
import { installPackages } from './packages.mjs';
import { interruptible, REPOSITORY, SetupError, say, secondsSince } from './run.mjs';

/** With one of these nothing is trained, and no library is needed. */
const PRINTING = ['-h', '--help', '--version', '--print-config', '--print_config'];

const built = (path) => import(new URL(`trainer/dist/${path}`, REPOSITORY).href);

/** @returns {Promise<number>} the exit code */
export async function start(args) {
  try {
    await interruptible(() => setUp(args));
  } catch (error) {
    // Those of the trainer have an exit code too; anything else is a bug and shows where.
    if (!error?.exitCode) throw error;
    say(`${error.exitCode > 128 ? '' : 'error: '}${error.message}`);
    return error.exitCode;
  }
  const { main } = await built('cli/main.js');
  return main(['start', ...args]);
}

async function setUp(args) {
  const began = performance.now();
  await installPackages();
  await build();
  const { cacheDir } = await built('runtime/paths.js');
  // Node 22 and later: the second start needs not parse TensorFlow.js again.
  module.enableCompileCache?.(`${cacheDir()}/node`);
  if (args.some((arg) => PRINTING.includes(arg))) return;
  if (await wantsLibrary(args)) await installLibrary();
  if (!args.includes('-q') && !args.includes('--quiet')) say(`trainer: set-up is complete (${secondsSince(began)}), starting`);
}

/** Whether flags, environment and configuration files leave the engine open. Where they are wrong, the trainer says so at once. */
async function wantsLibrary(args) {
  const [{ createProgram }, { normalizeArguments }, { resolveStart }, { processIo }] = await Promise.all(
    ['program', 'arguments', 'resolve', 'io'].map((name) => built(`cli/${name}.js`)),
  );
  const io = processIo(process.env);
  const asked = {};
  try {
    createProgram(io, '', ({ flags }) => Object.assign(asked, flags)).parse(normalizeArguments(['start', ...args]), {
      from: 'user',
    });
    const { config } = await resolveStart(asked, io);
    return config.engine !== 'wasm';
  } catch {
    return false;
  }
}

/** Without Python nothing can be installed: training takes the WebAssembly engine, and says what would make it faster. */
async function installLibrary() {
  const [{ findLibrary }, { findPip }] = await Promise.all([built('runtime/library.js'), built('runtime/pip.js')]);
  if ((await findLibrary()) || !(await findPip())) return;
  const [{ runSetup }, { processIo }] = await Promise.all([built('cli/setup.js'), built('cli/io.js')]);
  const options = { variant: 'auto', quiet: false, verbose: false, progress: true, color: 'auto', yes: false };
  const code = await runSetup(options, processIo(process.env));
  if (code > 128) throw new SetupError('set-up interrupted: `npm start` goes on from there', code);
}
