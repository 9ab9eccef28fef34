// `trainer start`: trains the pair (or one of it), for one seed or several, and says how it went.
import type { RunConfig } from '@trainer/protocol';
import { EXIT, type ExitCode, TrainerError, usageError } from '../errors.js';
import type { ResumableRun } from '../report/contract.js';
import { findResumable } from '../report/resume.js';
import { checkRunPlace } from '../report/run-folder.js';
import { completeConfig, type Origins, refuseInconsistency } from '../settings/complete.js';
import type { StartOptions } from '../settings/contract.js';
import { nameOf } from '../settings/options.js';
import { willUseGpu } from '../worker/engine.js';
import type { Io } from './io.js';
import { renderConfig } from './print-config.js';
import { exitCodeOf, onSignals, type StopReason } from './signals.js';
import { conclude } from './start-conclude.js';
import { chooseImages, type Prepared, prepare, presetFor } from './start-prepare.js';
import { type Finished, type SeedContext, trainSeed } from './start-seed.js';
import { costTable } from './tables.js';
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
    if (!resumed && !options.run.dryRun && options.run.seeds === 1) await checkRunPlace(options.run);
    const prepared = await prepare({ options, resumed: resumed?.config, reporter, env: io.env, signal: stop.signal });
    try {
      if (options.run.dryRun) return dryRun(prepared, io);
      describe(prepared, reporter);
      return await trainSeeds({ options, prepared, resumed, reporter, io, stop: stop.signal, checkpointAsked });
    } finally {
      prepared.engine.session.close();
    }
  } catch (error) {
    // What is loading when a stop is asked for ends by throwing.
    if (!stop.signal.aborted || error instanceof TrainerError) throw error;
    reporter.warn(`stopped by ${stop.signal.reason} before the first step`);
    return exitCodeOf(stop.signal.reason as StopReason);
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
  const complete = completeConfig(options, presetFor(await willUseGpu(options.config.engine ?? 'auto')));
  io.stdout.write(renderConfig(complete, options));
  if (complete.config.preset === 'quick' && !options.output.quiet)
    io.stderr.write('quick fits precision, images and epochs to the machine when the run starts, where they are not given\n');
  return EXIT.ok;
}

/** What may be said anew when a run goes on: it changes no number of the run, or only where it ends. */
const FREE_ON_RESUME: ReadonlySet<string> = new Set(['data', 'engine', 'maxTime', 'targetAcc', 'keep', 'checkpointEvery']);

async function findRun({ run, config, origins }: StartOptions, reporter: Reporter): Promise<ResumableRun | undefined> {
  if (run.resume === null) return undefined;
  const found = await findResumable(run.out, run.resume, (line) => reporter.notice(line));
  for (const [field, value] of Object.entries(config)) {
    const kept = found.config[field as keyof RunConfig];
    if (!FREE_ON_RESUME.has(field) && JSON.stringify(kept) !== JSON.stringify(value))
      throw usageError(
        `${nameOf(field)} ${JSON.stringify(value)} (${origins[field]}): the run to go on with has ${JSON.stringify(kept)}; leave it out, or start a new run`,
      );
  }
  const merged = { ...found.config, ...config };
  refuseInconsistency({ config: merged, origins: { ...savedOrigins(merged), ...origins } });
  reporter.notice(`going on with ${found.path} after step ${found.checkpoint.state.step}, from ${found.checkpointPath}`);
  return { ...found, config: merged };
}

const savedOrigins = (config: RunConfig): Origins =>
  Object.fromEntries(Object.keys(config).map((field) => [field, "the run's config.yaml"])) as Origins;

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
  if (config.zeroGamma)
    reporter.notice('but zero-gamma: the last norm of each residual block starts at 0, in the plain net at 1');
}

interface SeedsContext extends Omit<SeedContext, 'config'> {
  readonly io: Io;
}

async function trainSeeds(context: SeedsContext): Promise<ExitCode> {
  const { options, prepared, reporter, stop } = context;
  const finished: Finished[] = [];
  for (let i = 0; i < options.run.seeds && !stop.aborted; i++) {
    const config = { ...prepared.complete.config, seed: prepared.complete.config.seed + i };
    if (options.run.seeds > 1) reporter.notice(`seed ${config.seed}: ${i + 1} of ${options.run.seeds}`);
    finished.push(await trainSeed({ ...context, config }));
    if (finished.at(-1)!.result.status !== 'finished') break;
  }
  return conclude(finished, context);
}
