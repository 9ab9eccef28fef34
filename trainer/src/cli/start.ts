// `trainer start`: trains the pair (or one of it), for one seed or several, and says how it went.
import { MOST_RANKS, parseGpus, type Start } from '@trainer/protocol';
import { EXIT, type ExitCode } from '../errors.js';
import { checkRunPlace } from '../report/run-folder.js';
import { completeConfig } from '../settings/complete.js';
import type { StartOptions } from '../settings/contract.js';
import { presetFor } from '../settings/presets.js';
import type { Listener } from '../supervisor/contract.js';
import { launchCoordinator } from '../supervisor/launch.js';
import { FolderRunStore } from '../supervisor/run-store.js';
import { Supervisor } from '../supervisor/supervisor.js';
import { awake, systemClock } from '../time.js';
import { willUseGpu } from '../worker/device-choice.js';
import { resumeCommand } from './closing.js';
import type { Io } from './io.js';
import { renderConfig } from './print-config.js';
import { exitCodeOf, onSignals, type StopReason } from './signals.js';
import { conclude } from './start-conclude.js';
import { costTable } from './tables.js';
import { createReporter, type Reporter } from './terminal.js';

/** Runs the command; its errors are thrown. */
export async function runStart(options: StartOptions, io: Io): Promise<ExitCode> {
  if (options.run.printConfig) return await printConfig(options, io);
  const reporter = createReporter(io, options.output);
  const stopped: { by?: StopReason } = {};
  const store = new FolderRunStore({ out: options.run.out, onLine: (listener) => reporter.onLine(listener) });
  const supervisor = new Supervisor({
    start: startOf(options),
    launch: () => launchCoordinator(io.env, mostRanks(options)),
    store,
    listener: listenerOf(reporter, options, io),
    clock: awake(systemClock),
    maxRestarts: options.run.maxRestarts,
    resumeCommand: (path) => resumeCommand(path, io.env),
  });
  let checkpoints = 0;
  const unsubscribe = onSignals({
    onStop: (reason) => {
      stopped.by = reason;
      void supervisor.control({ control: 'signal', action: 'stop' });
    },
    onCheckpoint: () => void supervisor.control({ control: `signal-${++checkpoints}`, action: 'checkpoint' }),
  });
  try {
    const { resume, dryRun, seeds } = options.run;
    if (resume === null && !dryRun && seeds === 1) await checkRunPlace(options.run);
    const finished = await supervisor.run();
    if (dryRun && !stopped.by) return EXIT.ok;
    if (finished.length > 0) return conclude(finished, { options, reporter, io, stoppedBy: stopped.by });
    reporter.warn(`stopped by ${stopped.by} before the first step`);
    return exitCodeOf(stopped.by!);
  } finally {
    reporter.close();
    unsubscribe();
  }
}

/** Where the machine or an earlier run decides how many there are: the most that an exchange takes. */
function mostRanks({ config: { workers, gpus }, run }: StartOptions): number {
  if (workers) return workers;
  const request = gpus ? parseGpus(gpus) : undefined;
  if (request === undefined) return run.resume === null ? 1 : MOST_RANKS;
  if (request === 'all') return MOST_RANKS;
  return 'count' in request ? request.count : request.indices.length;
}

function startOf({ config, origins, run }: StartOptions): Pick<Start, 'config' | 'origins' | 'run' | 'commandLine'> {
  const { seeds, out, name, tags, notes, resume, dryRun, fastDevRun, deadline, commitEvery } = run;
  return {
    config,
    origins: { ...origins },
    run: { seeds, out, name, tags: [...tags], notes, resume, dryRun, fastDevRun, deadline, commitEvery },
    commandLine: process.argv.slice(2),
  };
}

function listenerOf(reporter: Reporter, { run }: StartOptions, io: Io): Listener {
  return {
    notice: (line) => reporter.notice(line),
    warn: (line) => reporter.warn(line),
    onProgress: reporter.progress,
    onEvent: reporter.onEvent,
    onMetrics: () => undefined,
    onModels: (models) => {
      if (run.dryRun) io.stdout.write(`${costTable(models)}\n`);
      else reporter.notice(costTable(models));
    },
    print: (text) => void io.stdout.write(text),
  };
}

async function printConfig(options: StartOptions, io: Io): Promise<ExitCode> {
  const complete = completeConfig(options, presetFor(await willUseGpu(options.config)));
  io.stdout.write(renderConfig(complete, options));
  if (complete.config.preset === 'quick' && !options.output.quiet)
    io.stderr.write('quick fits precision, images and epochs to the machine when the run starts, where they are not given\n');
  return EXIT.ok;
}
