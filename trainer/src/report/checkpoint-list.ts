// Finds the checkpoints and commits of a run, and the newest of them that is whole.
import path from 'node:path';
import { EXIT, environmentError, TrainerError } from '../errors.js';
import { errorCode } from '../files.js';
import { readCheckpoint } from './checkpoint-files.js';
import type { Checkpoint } from './contract.js';
import type { FileSystem } from './file-system.js';
import { ioError } from './io-error.js';
import { RUN_FILES } from './run-files.js';

/** Prefix of a checkpoint whose successor of the same step may not be in place yet. */
export const REPLACED_PREFIX = '.replaced-';

export interface CheckpointFolder {
  readonly step: number;
  /** Set aside for a newer one of the same step. */
  readonly replaced: boolean;
  readonly path: string;
}

/** Checkpoints by their folders' names, newest first; none where the folder is missing. Nothing is opened. */
export async function checkpointFolders(fileSystem: FileSystem, folder: string): Promise<CheckpointFolder[]> {
  let names: string[];
  try {
    names = await fileSystem.list(folder);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw ioError('read', folder, error);
  }
  return names
    .map((name) => ({ name, match: /^(\.replaced-)?(0|[1-9]\d{0,14})$/.exec(name) }))
    .filter(({ match }) => match !== null)
    .map(({ name, match }) => ({ step: Number(match![2]), replaced: match![1] !== undefined, path: path.join(folder, name) }))
    .sort((a, b) => b.step - a.step || Number(a.replaced) - Number(b.replaced));
}

/** Of the run, checkpoints and commits, newest first; at one step the checkpoint, which was synced, stands before the commit. */
export async function checkpointsOfRun(fileSystem: FileSystem, run: string): Promise<CheckpointFolder[]> {
  const checkpoints = await checkpointFolders(fileSystem, path.join(run, RUN_FILES.checkpoints));
  const commits = await checkpointFolders(fileSystem, path.join(run, RUN_FILES.commits));
  return [...checkpoints, ...commits].sort((a, b) => b.step - a.step);
}

/**
 * The newest checkpoint or commit of a run whose every byte is proven; each damaged one is told of and passed over.
 * @throws TrainerError: exit code 5 where there is none, 3 where all are damaged.
 */
export async function newestCheckpoint(
  fileSystem: FileSystem,
  run: string,
  onNotice: (line: string) => void,
): Promise<{ readonly path: string; readonly checkpoint: Checkpoint }> {
  const found = await checkpointsOfRun(fileSystem, run);
  if (found.length === 0) throw new TrainerError(`${run} has no checkpoint to go on from: start the run again`, EXIT.noMatch);
  for (const candidate of found) {
    try {
      return { path: candidate.path, checkpoint: await readCheckpointOfStep(fileSystem, candidate) };
    } catch (error) {
      if (!(error instanceof TrainerError)) throw error;
      onNotice(`${error.message}: passed over`);
    }
  }
  throw environmentError(`every checkpoint of ${run} is damaged: start the run again`);
}

/** @throws TrainerError (environment) where it is damaged, or another step's under a wrong name. */
export async function readCheckpointOfStep(
  fileSystem: FileSystem,
  { path: folder, step }: CheckpointFolder,
): Promise<Checkpoint> {
  const checkpoint = await readCheckpoint(fileSystem, folder);
  if (checkpoint.state.step !== step)
    throw environmentError(`the checkpoint ${folder} is damaged (it holds step ${checkpoint.state.step})`);
  return checkpoint;
}
