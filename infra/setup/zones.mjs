// Who may import whom, checked: `node infra/setup/zones.mjs`. The rooms and their order are described in CONTRIBUTING.md.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { cruise } from 'dependency-cruiser';

const ROOTS = ['protocol/src', 'trainer/src'];
const TESTS = '\\.test\\.ts$';
/** The parts of `runtime` that hold the library itself; its other parts only know where it is. */
const NATIVE = '^trainer/src/runtime/(capi|tensor|banner|resident)\\.ts$';

const rooms = (...names) => `^trainer/src/(${names.join('|')})/`;
const shared = '|^trainer/src/(errors|files|random|time)\\.ts$|^protocol/|(^|/)node_modules/|^node:|^[a-z_/]+$';
/** A room may import itself, what all share, and these. */
const onlyKnows = (room, others, why) => ({
  name: `${room}-zone`,
  severity: 'error',
  comment: why,
  from: { path: rooms(room) },
  to: {
    pathNot: `${rooms(room, ...others.filter((o) => !o.includes('.')))}${others
      .filter((o) => o.includes('.'))
      .map((o) => `|^trainer/src/${o}$`)
      .join('')}${shared}`,
  },
});
const forbidden = (name, why, from, to) => ({ name, severity: 'error', comment: why, from, to });

export const RULES = [
  forbidden(
    'protocol-alone',
    'protocol imports nothing of ours',
    { path: '^protocol/' },
    { path: '^(trainer|dashboard|infra|tests)/' },
  ),
  onlyKnows('runtime', [], 'runtime is the lowest room'),
  onlyKnows('jit', ['runtime'], 'jit stands on runtime alone'),
  onlyKnows(
    'fallback',
    ['jit/contract.ts', 'jit/host-exchange.ts', 'jit/loan.ts', 'jit/shapes.ts', 'nn/kernels.ts'],
    "fallback implements jit's contract and nn's kernels",
  ),
  onlyKnows('nn', ['jit/contract.ts', 'jit/host-exchange.ts'], 'models and layers know the engine only by its contract'),
  onlyKnows('optim', [], 'optimizers are plain functions'),
  onlyKnows('settings', ['nn/architecture.ts'], 'settings are values: they know neither who asks nor who acts on them'),
  onlyKnows('data', [], 'data knows neither who trains nor who asks'),
  onlyKnows('allreduce', [], 'the exchange knows neither who trains nor what'),
  onlyKnows('link', [], 'channels know neither who speaks nor of what'),
  {
    ...onlyKnows('simulation', ['allreduce', 'link'], 'time, channels and exchanges are simulated whoever uses them'),
    from: { path: '^trainer/src/simulation/[^/]+$' },
  },
  onlyKnows('report', [], 'reports know neither who trains nor who asks'),
  onlyKnows(
    'worker',
    ['allreduce', 'data', 'fallback', 'jit', 'link', 'nn', 'optim', 'report', 'runtime'],
    'the worker knows no command',
  ),
  onlyKnows(
    'coordinator',
    ['allreduce', 'data', 'link', 'nn', 'report', 'runtime', 'settings', 'worker'],
    'the coordinator knows ranks and files, not who started it',
  ),
  onlyKnows('supervisor', ['data/contract.ts', 'link', 'report'], 'the supervisor knows the coordinator by its messages alone'),
  forbidden(
    'supervisor-without-tensorflow',
    'nothing that may crash natively is loaded where runs are supervised and shown',
    { path: `${rooms('supervisor')}|^trainer/src/cli/start\\.ts$` },
    { path: `@tensorflow/|${NATIVE}`, reachable: true },
  ),
  forbidden(
    'coordinator-apart',
    'the coordinator is a process of its own',
    { path: rooms('cli', 'supervisor') },
    { path: rooms('coordinator') },
  ),
  forbidden(
    'cli-on-top',
    'nobody imports the command line, but the benchmarks that are its commands',
    { pathNot: rooms('cli', 'bench') },
    { path: rooms('cli', 'bench') },
  ),
  forbidden(
    'simulation-for-tests',
    'only tests run on simulated time',
    { pathNot: rooms('simulation') },
    { path: rooms('simulation') },
  ),
  forbidden(
    'native-library',
    'only runtime, jit and the opening of an engine touch the native library',
    { pathNot: `${rooms('runtime', 'jit')}|^trainer/src/worker/engine\\.ts$` },
    { path: NATIVE },
  ),
  forbidden('koffi', 'only runtime loads koffi', { pathNot: rooms('runtime') }, { path: '(^|/)koffi(/|$)' }),
  forbidden('tfjs-node', "only jit loads tfjs-node's kernels", { pathNot: rooms('jit') }, { path: '@tensorflow/tfjs-node' }),
  forbidden(
    'tfjs-wasm',
    'only the fallback engine loads the WebAssembly backend',
    { pathNot: rooms('fallback') },
    { path: '@tensorflow/tfjs-backend-wasm' },
  ),
  forbidden(
    'no-cycles',
    'a cycle has no order to read it in',
    {},
    { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  ),
  forbidden('resolvable', 'an import that is not found would be checked by no rule', {}, { couldNotResolve: true }),
];

const sourcesBelow = (root) =>
  ROOTS.flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true })
      .map((name) => `${folder}/${name}`)
      .filter((path) => path.endsWith('.ts') && !/\.(test|d)\.ts$/.test(path)),
  );

/**
 * @param {URL} root folder of the repository, ending in a slash
 * @returns {Promise<{ modules: number, violations: string[] }>} violations as lines; a source file that was not looked at is one
 */
export async function checkZones(root) {
  const { output } = await cruise(
    ROOTS,
    {
      baseDir: fileURLToPath(root),
      validate: true,
      ruleSet: { forbidden: RULES },
      exclude: { path: TESTS },
      doNotFollow: { path: '(^|/)(node_modules|dist)/' },
      tsPreCompilationDeps: true,
    },
    {
      extensions: ['.ts', '.js', '.mjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  );
  const seen = new Set(output.modules.map(({ source }) => source));
  const sources = sourcesBelow(root);
  return {
    modules: sources.filter((path) => seen.has(path)).length,
    violations: [
      ...sources.filter((path) => !seen.has(path)).map((path) => `${path}: was not looked at`),
      ...output.summary.violations.map(
        ({ rule, from, to }) => `${from} -> ${to}: ${rule.name} (${RULES.find((r) => r.name === rule.name)?.comment})`,
      ),
    ],
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { modules, violations } = await checkZones(new URL('../../', import.meta.url));
  for (const line of violations) process.stderr.write(`${line}\n`);
  process.stdout.write(`import zones: ${modules} modules, ${violations.length} violations\n`);
  process.exitCode = violations.length === 0 && modules > 0 ? 0 : 1;
}
