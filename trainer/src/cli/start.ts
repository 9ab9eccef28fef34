// `trainer start`: trains the pair (or one of it), for one seed or several, and says how it went.
import type { RunConfig, RunSummary } from '@trainer/protocol';
import { EXIT, type ExitCode, TrainerError, usageError } from '../errors.js';
import type { ResumableRun } from '../report/contract.js';
import { findResumable } from '../report/resume.js';
import { findGpus } from '../runtime/devices.js';
import { closingLines } from './closing.js';
import { completeConfig } from './config.js';
import type { Io } from './io.js';
import { nameOf } from './options.js';
import { renderConfig } from './print-config.js';
import type { StartOptions } from './resolve.js';
import { exitCodeOf, onSignals, type StopReason } from './signals.js';
import { chooseImages, type Prepared, prepare, presetFor } from './start-prepare.js';
import { type Finished, trainSeed } from './start-seed.js';
import { costTable, finalTable, seedsTable } from './tables.js';
import { createReporter, type Reporter } from './terminal.js';

/** Runs the command; its errors are thrown. */
export async function runStart(options: StartOptions, io: Io): Promise<ExitCode> {
  if (options.run.printConfig) return await printConfig(options, io);
  const reporter = createReporter(io, options.output);
  const stop = new AbortController();
  const asked = { checkpoint: false };
  const unsubscribe = onSignals({
    onStop: (reason) => stop.abort(reason),
    onCheckpoint: () => {
      asked.checkpoint = true;
    },
  });
  try {
    const resumed = await findRun(options, reporter);
    const prepared = await prepare({ options, resumed: resumed?.config, reporter, env: io.env, signal: stop.signal });
    try {
      if (options.run.dryRun) return dryRun(prepared, io);
      describe(prepared, reporter);
      return await trainSeeds({ options, prepared, resumed, reporter, io, stop: stop.signal, checkpointAsked });
    } finally {
      prepared.engine.session.close();
    }
  } finally {
    reporter.close();
    unsubscribe();
  }

  function checkpointAsked(): boolean {
    const was = asked.checkpoint;
    asked.checkpoint = false;
    return was;
  }
}

async function printConfig(options: StartOptions, io: Io): Promise<ExitCode> {
  const gpu = options.config.engine !== 'wasm' && (await findGpus(io.env)).length > 0;
  io.stdout.write(renderConfig(completeConfig(options, presetFor(gpu)), options));
  return EXIT.ok;
}

/** What may be said anew when a run goes on: it changes no number of the run, or only where it ends. */
const FREE_ON_RESUME: ReadonlySet<string> = new Set(['data', 'engine', 'maxTime', 'targetAcc', 'keep', 'checkpointEvery']);

async function findRun({ run, config }: StartOptions, reporter: Reporter): Promise<ResumableRun | undefined> {
  if (run.resume === null) return undefined;
  const found = await findResumable(run.out, run.resume, (line) => reporter.notice(line));
  for (const [field, value] of Object.entries(config)) {
    const kept = found.config[field as keyof RunConfig];
    if (!FREE_ON_RESUME.has(field) && JSON.stringify(kept) !== JSON.stringify(value))
      throw usageError(
        `--${nameOf(field)}: the run to go on with has ${JSON.stringify(kept)}; leave the flag out, or start a new run`,
      );
  }
  reporter.notice(`going on with ${found.path} after step ${found.checkpoint.state.step}, from ${found.checkpointPath}`);
  return { ...found, config: { ...found.config, ...config } };
}

function dryRun({ complete: { config }, dataset, models, engine }: Prepared, io: Io): ExitCode {
  const { split } = chooseImages(config, dataset);
  io.stdout.write(`${costTable(models)}\n`);
  io.stdout.write(
    `${dataset.name}: ${split.train.length} images to train, ${split.validation.length} to validate, ${split.test.length} to test; ` +
      `${config.epochs} epochs at batch ${config.batchSize}, ${config.precision}, ${engine.library} on ${engine.device}\n`,
  );
  return EXIT.ok;
}

function describe({ complete: { config }, dataset, models, engine }: Prepared, reporter: Reporter): void {
  reporter.notice(`${engine.library} on ${engine.device}, ${config.precision}; ${dataset.name} (${dataset.origin})`);
  reporter.notice(costTable(models));
}

interface SeedsContext {
  readonly options: StartOptions;
  readonly prepared: Prepared;
  readonly resumed: ResumableRun | undefined;
  readonly reporter: Reporter;
  readonly io: Io;
  readonly stop: AbortSignal;
  readonly checkpointAsked: () => boolean;
}

async function trainSeeds(context: SeedsContext): Promise<ExitCode> {
  const { options, prepared, reporter, stop } = context;
  const finished: Finished[] = [];
  for (let i = 0; i < options.run.seeds && !stop.aborted; i++) {
    const config = { ...prepared.complete.config, seed: prepared.complete.config.seed + i };
    if (options.run.seeds > 1) reporter.notice(`seed ${config.seed}: ${i + 1} of ${options.run.seeds}`);
    finished.push(await trainSeed({ ...context, config }));
    const failure = failureOf(finished.at(-1)!);
    if (failure) throw failure;
  }
  conclude(finished, context);
  return stop.aborted ? exitCodeOf(stop.reason as StopReason) : EXIT.ok;
}

function conclude(finished: readonly Finished[], { options, reporter, io, stop }: SeedsContext): void {
  const ended = finished.at(-1)!;
  const several = finished.length > 1;
  if (options.output.json) io.stdout.write(`${JSON.stringify(document(finished))}\n`);
  else if (!stop.aborted) io.stdout.write(`${several ? seedsTable(finished) : finalTable(ended)}\n`);
  if (stop.aborted)
    reporter.warn(`stopped by ${stop.reason} after step ${ended.summary.steps} of ${ended.steps}; all of it is saved`);
  const { config, path, summary } = ended;
  const lines = closingLines({
    config,
    status: summary.status,
    path: several && !stop.aborted ? options.run.out : path,
    seeds: options.run.seeds,
    env: io.env,
  });
  for (const line of lines) reporter.notice(line);
}

/** One run is its summary; several seeds are a list of them. */
function document(finished: readonly Finished[]): unknown {
  const one = ({ summary, path }: { summary: RunSummary; path: string }) => ({ ...summary, path });
  return finished.length === 1 ? one(finished[0]!) : { runs: finished.map(one) };
}

function failureOf({ result, checkpointPath, path }: Finished): TrainerError | undefined {
  if (result.status !== 'diverged') return undefined;
  const kept = checkpointPath
    ? `the last good checkpoint is ${checkpointPath}`
    : `no checkpoint was written before it; the run is ${path}`;
  return new TrainerError(`${result.reason}; ${kept}; lower --lr, or raise --warmup`, EXIT.diverged);
}
