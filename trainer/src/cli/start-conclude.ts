// The end of `trainer start`: what is printed once the last seed has ended, and the exit code.
import type { FinishedRun, RunSummary } from '@trainer/protocol';
import { EXIT, type ExitCode, TrainerError } from '../errors.js';
import type { StartOptions } from '../settings/contract.js';
import { closingLines } from './closing.js';
import type { Io } from './io.js';
import { exitCodeOf, type StopReason } from './signals.js';
import { finalTable, seedsTable } from './tables.js';
import type { Reporter } from './terminal.js';

export interface ConcludeContext {
  readonly options: StartOptions;
  readonly reporter: Reporter;
  readonly io: Io;
  readonly stoppedBy: StopReason | undefined;
}

/**
 * @param finished at least one
 * @throws TrainerError (diverged), after what there is to say of the run was said
 */
export function conclude(finished: readonly FinishedRun[], context: ConcludeContext): ExitCode {
  const { options, reporter, io, stoppedBy } = context;
  const ended = finished.at(-1)!;
  const { status } = ended;
  const done = status === 'finished';
  if (options.output.json) io.stdout.write(`${JSON.stringify(document(finished))}\n`);
  else if (done) io.stdout.write(`${finished.length > 1 ? seedsTable(finished) : finalTable(ended)}\n`);
  if (status === 'interrupted') reporter.warn(interruption(finished.length, ended, context));
  tellNext(finished, context);
  if (status === 'diverged') throw divergence(ended);
  return done ? EXIT.ok : exitCodeOf(stoppedBy!);
}

function interruption(seeds: number, { summary, steps }: FinishedRun, { options, stoppedBy }: ConcludeContext): string {
  const left = options.run.seeds - seeds;
  const others = left === 0 ? '' : `; ${left} more ${left === 1 ? 'seed was' : 'seeds were'} not begun`;
  return `stopped by ${stoppedBy} after step ${summary.steps} of ${steps}; all of it is saved${others}`;
}

function tellNext(finished: readonly FinishedRun[], { options, reporter, io }: ConcludeContext): void {
  const { config, path, summary } = finished.at(-1)!;
  const all = finished.length > 1 && summary.status === 'finished';
  const { seeds, out } = options.run;
  for (const line of closingLines({ config, status: summary.status, path: all ? out : path, seeds, env: io.env }))
    reporter.notice(line);
}

/** One run is its summary; several seeds are a list of them. */
function document(finished: readonly FinishedRun[]): unknown {
  const one = ({ summary, path }: { summary: RunSummary; path: string }) => ({ ...summary, path });
  return finished.length === 1 ? one(finished[0]!) : { runs: finished.map(one) };
}

function divergence({ reason, checkpointPath, path }: FinishedRun): TrainerError {
  const kept = checkpointPath
    ? `the last good checkpoint is ${checkpointPath}`
    : `no checkpoint was written before it; the run is ${path}`;
  return new TrainerError(`${reason}; ${kept}; lower --lr, or raise --warmup`, EXIT.diverged);
}
