// `trainer bench scaling`: images per second against the number of ranks, as text or JSON, and what a model fitted on one and two
// ranks says of the others.
import { MOST_RANKS } from '@trainer/protocol';
import type { BenchScalingOptions } from '../cli/contract.js';
import type { Io } from '../cli/io.js';
import { EXIT, type ExitCode, usageError } from '../errors.js';
import { describeCpu, findGpus } from '../runtime/devices.js';
import { findLibrary } from '../runtime/library.js';
import { chooseRanks, type RankDevice } from '../runtime/ranks.js';
import { round } from './median.js';
import { type MeasuredRanks, type MeasuredRanksOptions, type MeasuredSteps, openMeasuredRanks } from './scaling-measure.js';
import { fitStepModel, type Gradient, predictStepMs, type StepModel } from './scaling-model.js';

/** What `trainer bench scaling --json` prints. Arrays are by entry of `ranks`; steps are timed one by one, after warm-up. */
export interface BenchScalingResult {
  readonly ranks: readonly number[];
  /** Of all ranks together. */
  readonly images_per_sec: readonly number[];
  /**
   * Images per second against one rank's: on simulated devices and GPUs against as many times one rank's, as each rank has its
   * own; on a CPU, whose cores all ranks share, against one rank's on all of them.
   */
  readonly efficiency: readonly number[];
  /** Of a step, waits for slower ranks included. */
  readonly exchange_share: readonly number[];
  readonly step_ms: readonly number[];
  /** Null where the model was fitted on it. */
  readonly predicted_step_ms: readonly (number | null)[];
  readonly exchange_ms: readonly number[];
  /** Images of each rank: the whole batch grows with the ranks. */
  readonly batch_size: number;
  readonly depth: number;
  readonly precision: string;
  readonly wire: string;
  /** Of the gradient. */
  readonly floats: number;
  readonly steps: number;
  readonly cores: number;
  readonly library: string;
  /** Milliseconds of a step of simulated devices; null where real ones trained. */
  readonly device_ms: number | null;
  /** Of the model in scaling-model.ts; null without two ranks, and where ranks share cores. */
  readonly fitted: {
    readonly one_rank_ms: number;
    readonly per_rank_ms: number;
    readonly wait_ms: number;
    readonly rank_gb_per_sec: number;
  } | null;
}

/** Counts take turns after so many steps, so that none has the machine's best minute to itself. */
const STEPS_PER_TURN = 5;
/** For the length of a device's step, where it is not said. */
const CALIBRATION_STEPS = 10;

interface Counted {
  readonly options: BenchScalingOptions;
  readonly counts: readonly number[];
  readonly machine: Machine;
  readonly deviceMs: number | undefined;
}

/** Measures and prints. @throws TrainerError for more ranks than share a memory, or a depth that no network has */
export async function benchScaling(options: BenchScalingOptions, io: Io): Promise<ExitCode> {
  const tell = (line: string): void => {
    if (!options.quiet && !options.json) io.stderr.write(`${line}\n`);
  };
  // One rank is what the others are compared with.
  const counts = [...new Set([1, ...options.ranks])].toSorted((a, b) => a - b);
  const most = counts.at(-1)!;
  if (most > MOST_RANKS) throw usageError(`--ranks ${most} are too many to share a memory: choose at most ${MOST_RANKS}`);
  const machine = await findMachine(io.env);
  const deviceMs = await deviceMsOf({ options, most, machine, tell });
  tell(
    `timing ${options.steps} steps of ${options.batchSize} images a rank, after warm-up: ${counts.join(', ')} ranks take turns`,
  );
  const result = await measure({ options, counts, machine, deviceMs }, tell);
  io.stdout.write(options.json ? `${JSON.stringify(result, null, 2)}\n` : asText(result, machine));
  return EXIT.ok;
}

interface Machine {
  readonly cores: number;
  /** How many ranks have a device, or a core, of their own. */
  readonly places: number;
  readonly gpu: boolean;
  devices(ranks: number): readonly RankDevice[];
}

async function findMachine(env: NodeJS.ProcessEnv): Promise<Machine> {
  const [library, cpu] = await Promise.all([findLibrary(), describeCpu()]);
  const gpus = library && library.variant !== 'cpu' ? await findGpus(env) : [];
  const gpu = gpus.length > 0;
  const devices = (ranks: number): readonly RankDevice[] => {
    const request = gpu ? { workers: null, gpus: String(ranks) } : { workers: ranks, gpus: null };
    return chooseRanks({ ...request, engine: 'auto' }, { gpus, cpu, library: library?.variant }).devices;
  };
  return { cores: cpu.cores, places: gpu ? gpus.length : cpu.cores, gpu, devices };
}

interface DeviceMsOptions extends Pick<Counted, 'options' | 'machine'> {
  readonly most: number;
  readonly tell: (line: string) => void;
}

/** Undefined where there is a device, or a core, for every rank. */
async function deviceMsOf({ options, most, machine, tell }: DeviceMsOptions): Promise<number | undefined> {
  if (options.deviceMs !== null) return options.deviceMs;
  const { places, gpu } = machine;
  if (most <= places) return undefined;
  tell(
    `${most} ranks are more than ${places} ${gpu ? 'GPUs' : 'cores'}: all ranks get simulated device time, one real rank's step`,
  );
  const one = await openMeasuredRanks({ ...measured(options, CALIBRATION_STEPS), devices: machine.devices(1), onNotice: tell });
  try {
    await one.run(CALIBRATION_STEPS);
    return round(one.result().stepMs, 2);
  } finally {
    await one.close();
  }
}

const measured = (
  { depth, batchSize, precision, wire }: BenchScalingOptions,
  steps: number,
): Omit<MeasuredRanksOptions, 'devices' | 'onNotice'> => ({ depth, batchSize, precision, wire, steps });

async function measure(
  { options, counts, machine, deviceMs }: Counted,
  tell: (line: string) => void,
): Promise<BenchScalingResult> {
  const open: MeasuredRanks[] = [];
  try {
    for (const ranks of counts) {
      const simulated = deviceMs === undefined ? {} : { deviceMs };
      const devices = deviceMs === undefined ? machine.devices(ranks) : simulatedDevices(ranks);
      open.push(await openMeasuredRanks({ ...measured(options, options.steps), ...simulated, devices, onNotice: tell }));
    }
    for (let done = 0; done < options.steps; done += STEPS_PER_TURN)
      for (const group of open) await group.run(Math.min(STEPS_PER_TURN, options.steps - done));
    return resultOf({ options, counts, machine, deviceMs }, open);
  } finally {
    await Promise.all(open.map((group) => group.close()));
  }
}

const simulatedDevices = (ranks: number): RankDevice[] =>
  Array.from({ length: ranks }, () => ({ device: 'simulated', name: 'simulated device time' }));

function resultOf({ options, counts, machine, deviceMs }: Counted, open: readonly MeasuredRanks[]): BenchScalingResult {
  const { depth, precision, wire, batchSize, steps } = options;
  const results = open.map((group) => group.result());
  const { floats, library } = open[0]!;
  const rates = results.map(({ stepMs }, i) => (1e3 * batchSize * counts[i]!) / stepMs);
  const shared = sharesCores(machine, deviceMs);
  const fitted = shared ? null : fit(counts, results, { floats, wire });
  const predicted = counts.map((ranks) =>
    fitted && ranks > 2 ? predictStepMs(fitted, ranks, { floats, wire }, { cores: machine.cores }) : null,
  );
  return {
    ranks: counts,
    images_per_sec: rates.map((rate) => round(rate, 1)),
    efficiency: rates.map((rate, i) => round(rate / rates[0]! / (shared ? 1 : counts[i]!), 3)),
    exchange_share: results.map(({ exchangeMs, stepMs }) => round(exchangeMs / stepMs, 4)),
    step_ms: results.map(({ stepMs }) => round(stepMs, 2)),
    predicted_step_ms: predicted.map((ms) => ms && round(ms, 2)),
    exchange_ms: results.map(({ exchangeMs }) => round(exchangeMs, 2)),
    ...{ batch_size: batchSize, depth, precision, wire, floats, steps, cores: machine.cores, library },
    device_ms: deviceMs ?? null,
    fitted: fitted && fittedNumbers(fitted),
  };
}

/** Whether ranks slow each other: then neither more ranks than one rank's rate, nor the model's equal steps, can be hoped for. */
const sharesCores = ({ gpu }: Machine, deviceMs: number | undefined): boolean => !gpu && deviceMs === undefined;

function fit(counts: readonly number[], results: readonly MeasuredSteps[], gradient: Gradient): StepModel | null {
  const two = results[counts.indexOf(2)];
  return two ? fitStepModel(results[0]!.stepMs, two, gradient) : null;
}

const fittedNumbers = (model: StepModel): NonNullable<BenchScalingResult['fitted']> => ({
  one_rank_ms: round(model.oneRankMs, 3),
  per_rank_ms: round(model.perRankMs, 3),
  wait_ms: round(model.waitMs, 3),
  rank_gb_per_sec: round(model.rankGbPerSec, 2),
});

function asText(r: BenchScalingResult, { gpu }: Machine): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
  const how =
    r.device_ms === null
      ? `${r.library}, ${gpu ? 'a GPU each' : `${r.cores} cores shared`}`
      : `simulated device time: ${r.device_ms} ms a step`;
  const rows = r.ranks.map((ranks, i) => {
    const predicted = r.predicted_step_ms[i];
    const beside = predicted == null ? '' : `, ${predicted} predicted (${signed(predicted / r.step_ms[i]! - 1)})`;
    return (
      `${`${ranks} ${ranks === 1 ? 'rank' : 'ranks'}:`.padEnd(9)} ${r.images_per_sec[i]} img/s, efficiency ${percent(r.efficiency[i]!)}, ` +
      `exchange ${percent(r.exchange_share[i]!)} of ${r.step_ms[i]} ms a step${beside}`
    );
  });
  const against = r.device_ms === null && !gpu ? "one rank's rate on all cores" : "as many times one rank's rate";
  return [
    `ResNet-${r.depth}, ${r.precision}, ${r.batch_size} images a rank (weak scaling), ${r.floats} floats exchanged as ${r.wire}; ${how}`,
    ...rows,
    `medians of ${r.steps} steps; efficiency is against ${against}`,
    ...(r.predicted_step_ms.some((ms) => ms !== null) ? ['predicted: by a model fitted on 1 and 2 ranks alone'] : []),
    '',
  ].join('\n');
}

const signed = (share: number): string => `${share < 0 ? '-' : '+'}${(100 * Math.abs(share)).toFixed(1)}%`;
