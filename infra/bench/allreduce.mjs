// The exchange of gradients against PyTorch's Gloo on this machine, turn by turn: `npm run bench:allreduce`. See README.md.
import { arch, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pythonEnvironment } from '../fixtures/python.mjs';
import { measure } from './measure.mjs';
import { median } from './report.mjs';

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const OPTIONS = {
  rounds: { type: 'string', default: '5' },
  ranks: { type: 'string', default: '2,4' },
  floats: { type: 'string', default: '11173962,272474' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
};
const USAGE = `npm run bench:allreduce -- [--rounds 5] [--ranks 2,4] [--floats 11173962,272474] [--json]
  floats of ResNet-18 and of ResNet-20; Gloo exchanges float32, we float32 and bfloat16
`;

/** Who is timed, by the name in the table. */
function contestants(python) {
  const flags = ({ ranks, floats }) => ['--ranks', ranks, '--floats', floats].map(String);
  const ours = (wire) => (each) => {
    const command = [path('../../trainer/bin/trainer.mjs'), 'bench', 'allreduce', '--json', '--wire', wire, ...flags(each)];
    return measure(process.execPath, command);
  };
  return {
    gloo: (each) => measure(python, [path('gloo_allreduce.py'), ...flags(each)]),
    fp32: ours('fp32'),
    bf16: ours('bf16'),
  };
}

/** Every contestant on every case, round after round, so that a machine that slows down slows all of them. */
async function contest(cases, who, rounds) {
  const runs = [];
  for (let round = 1; round <= rounds; round++) {
    for (const each of cases) {
      const results = {};
      for (const [name, run] of Object.entries(who)) results[name] = await run(each);
      const said = Object.entries(results).map(([name, result]) => `${name} ${result?.exchange_ms_median ?? '-'} ms`);
      console.error(`round ${round}/${rounds}  ${each.ranks} ranks  ${each.floats} floats  ${said.join('  ')}`);
      if (Object.values(results).every(Boolean)) runs.push({ ...each, results });
    }
  }
  return runs;
}

const round2 = (value) => Number(value.toFixed(2));

/** Medians over the rounds; ratios are those of each round, so that a slow round weighs no more than others. */
function summarize({ ranks, floats }, runs) {
  const ofCase = runs.filter((run) => run.ranks === ranks && run.floats === floats).map(({ results }) => results);
  if (ofCase.length === 0) return { ranks, floats };
  const medianOf = (of) => round2(median(ofCase.map(of)));
  const ratios = (wire) => ofCase.map(({ gloo, [wire]: ours }) => gloo.exchange_ms_median / ours.exchange_ms_median);
  const ratio = (wire) => ({
    ratio: round2(median(ratios(wire))),
    ratio_lowest: round2(Math.min(...ratios(wire))),
    ratio_highest: round2(Math.max(...ratios(wire))),
  });
  return {
    ranks,
    floats,
    gloo_ms: medianOf(({ gloo }) => gloo.exchange_ms_median),
    fp32: { ms: medianOf(({ fp32 }) => fp32.exchange_ms_median), ...ratio('fp32') },
    bf16: { ms: medianOf(({ bf16 }) => bf16.exchange_ms_median), ...ratio('bf16') },
    reduce_ms: medianOf(({ fp32 }) => fp32.reduce_ms_median),
    reduce_share_of_copy_bandwidth: medianOf(({ fp32 }) => fp32.reduce_gb_per_sec / fp32.copy_gb_per_sec),
  };
}

function asTable({ machine, rounds, cases }) {
  const wire = (of) => (of ? `${of.ms}; ${of.ratio} (${of.ratio_lowest}-${of.ratio_highest})` : '-');
  const rows = cases.map((c) => [
    `${c.ranks} ranks, ${c.floats} floats`,
    c.gloo_ms ?? '-',
    wire(c.fp32),
    wire(c.bf16),
    c.reduce_ms ?? '-',
    c.reduce_share_of_copy_bandwidth ?? '-',
  ]);
  const head = ['ms', 'Gloo fp32', 'ours fp32; ratio', 'ours bf16; ratio', 'reduce alone', 'of the bandwidth of copies'];
  const lines = [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`);
  return [`${machine}; medians of ${rounds} rounds, lowest and highest ratio of a round in brackets`, '', ...lines, ''].join(
    '\n',
  );
}

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const numbers = (text) => text.split(',').map(Number);
  const cases = numbers(values.floats).flatMap((floats) => numbers(values.ranks).map((ranks) => ({ ranks, floats })));
  const rounds = Number(values.rounds);
  if (![rounds, ...cases.flatMap(Object.values)].every((n) => Number.isInteger(n) && n > 0))
    throw new Error(`bad arguments\n${USAGE}`);
  const runs = await contest(cases, contestants(pythonEnvironment('bench')), rounds);
  const machine = `${cpus()[0]?.model ?? arch()}, ${cpus().length} cores`;
  const summary = { machine, rounds, cases: cases.map((each) => summarize(each, runs)) };
  process.stdout.write(values.json ? `${JSON.stringify(summary, null, 2)}\n` : asTable(summary));
}

await main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exitCode = 2;
});
