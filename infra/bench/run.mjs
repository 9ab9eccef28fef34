// The training step against its rivals on this machine's CPU, turn by turn: `npm run bench`. See README.md.
import { arch, cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cache, pythonEnvironment } from '../fixtures/python.mjs';
import { measure } from './measure.mjs';
import { asTable, summarize } from './report.mjs';
import { installStock, QUOTED_STOCK } from './stock.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
/** Timed steps of a process: about ten seconds each. */
const STEPS = { 18: 5, 20: 24, 32: 16, 56: 10 };

const OPTIONS = {
  rounds: { type: 'string', default: '5' },
  depths: { type: 'string', default: '20,18' },
  precisions: { type: 'string', default: 'fp32,bf16' },
  'batch-size': { type: 'string', default: '128' },
  stock: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
};
const USAGE = `npm run bench -- [--rounds 5] [--depths 20,18] [--precisions fp32,bf16] [--batch-size 128] [--stock] [--json]
  --stock   also install @tensorflow/tfjs-node with its own binary and run tf.layers on it; otherwise its figure is quoted
`;

/** Who is timed, by the name in the table; ours last. Each is given a case and returns its measurement. */
function contestants(python, stock) {
  const flags = ({ depth, precision, batchSize }) =>
    ['--depth', depth, '--precision', precision, '--batch-size', batchSize, '--steps', STEPS[depth]].map(String);
  const torch =
    (...more) =>
    (each) =>
      measure(python, [path('torch_step.py'), ...flags(each), ...more], {
        TORCHINDUCTOR_CACHE_DIR: join(cache, 'bench', 'inductor'),
      });
  return {
    'PyTorch eager': torch(),
    'PyTorch compile': torch('--compile'),
    ...(stock && {
      'tf.layers': ({ depth, precision, batchSize }) =>
        depth === 20 && precision === 'fp32'
          ? measure(process.execPath, [path('tfjs_layers.mjs'), stock, String(batchSize), '12'])
          : undefined,
    }),
    trainer: (each) =>
      measure(process.execPath, [
        path('../../trainer/bin/trainer.mjs'),
        'bench',
        'step',
        '--json',
        '--engine',
        'tensorflow',
        ...flags(each),
      ]),
  };
}

/** Every contestant on every case, round after round, so that a machine that slows down slows all of them. */
async function contest(cases, who, rounds) {
  const runs = [];
  for (let round = 1; round <= rounds; round++) {
    for (const each of cases) {
      for (const [name, run] of Object.entries(who)) {
        const result = await run(each);
        if (!result) continue;
        runs.push({ ...each, name, round, result });
        console.error(
          `round ${round}/${rounds}  ResNet-${each.depth} ${each.precision}  ${name.padEnd(16)} ${result.images_per_sec_median} img/s`,
        );
      }
    }
  }
  return runs;
}

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const list = (text) => text.split(',').filter(Boolean);
  const batchSize = Number(values['batch-size']);
  const cases = list(values.depths).flatMap((depth) =>
    list(values.precisions).map((precision) => ({ depth: Number(depth), precision, batchSize })),
  );
  const unknown = cases.find(({ depth, precision }) => !(depth in STEPS) || !['fp32', 'bf16'].includes(precision));
  if (unknown || !(batchSize > 0) || !(Number(values.rounds) > 0)) throw new Error(`bad arguments\n${USAGE}`);
  const who = contestants(pythonEnvironment('bench'), values.stock ? installStock() : undefined);
  const runs = await contest(cases, who, Number(values.rounds));
  const machine = `${cpus()[0]?.model ?? arch()}, ${cpus().length} cores`;
  const summary = {
    machine,
    rounds: Number(values.rounds),
    batch_size: batchSize,
    cases: summarize(runs),
    ...(!who['tf.layers'] && { quoted: QUOTED_STOCK }),
  };
  process.stdout.write(values.json ? `${JSON.stringify(summary, null, 2)}\n` : asTable(summary));
}

await main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exitCode = 2;
});
