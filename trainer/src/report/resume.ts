// Finds the run and the checkpoint that `--resume` means.
import fs from 'node:fs/promises';
import path from 'node:path';
import { EXIT, environmentError, TrainerError } from '../errors.js';
import { checkpointFolders, checkpointsOfRun, newestCheckpoint, readCheckpointOfStep } from './checkpoint-list.js';
import { readConfig } from './config-file.js';
import type { ResumableRun } from './contract.js';
import { type FileSystem, nodeFileSystem } from './file-system.js';
import { RUN_FILES } from './run-files.js';

type OnNotice = (line: string) => void;

/** Folders of a run in which there are checkpoints. */
const KINDS: ReadonlySet<string> = new Set([RUN_FILES.checkpoints, RUN_FILES.commits]);

/**
 * `which` is 'last' (of the runs in `out` that have a checkpoint, the one written to last), a run's folder, a run's name
 * in `out`, or one checkpoint's (or commit's) folder. Of a run, the newest checkpoint or commit counts whose every byte is
 * proven; damaged ones are told of by `onNotice`.
 * @throws TrainerError: exit code 5 where there is nothing to go on from, 3 where what there is is damaged or unreadable.
 */
export async function findResumable(
  out: string,
  which: string,
  onNotice: OnNotice,
  fileSystem: FileSystem = nodeFileSystem,
): Promise<ResumableRun> {
  if (which === 'last') return ofRun(fileSystem, await lastRun(fileSystem, out, onNotice), onNotice);
  for (const place of [path.resolve(which), path.resolve(out, which)]) {
    if (await isRun(place)) return ofRun(fileSystem, place, onNotice);
    const run = path.dirname(path.dirname(place));
    if (KINDS.has(path.basename(path.dirname(place))) && (await isRun(run))) return ofCheckpoint(fileSystem, run, place);
  }
  throw nothing(`there is no run ${which} here or in ${path.resolve(out)}: name a run, its folder or one of its checkpoints`);
}

async function ofRun(fileSystem: FileSystem, run: string, onNotice: OnNotice): Promise<ResumableRun> {
  const config = await readConfig(fileSystem, path.join(run, RUN_FILES.config));
  const newest = await newestCheckpoint(fileSystem, run, onNotice);
  return { path: run, config, checkpoint: newest.checkpoint, checkpointPath: newest.path };
}

async function ofCheckpoint(fileSystem: FileSystem, run: string, place: string): Promise<ResumableRun> {
  const config = await readConfig(fileSystem, path.join(run, RUN_FILES.config));
  const folders = await checkpointFolders(fileSystem, path.dirname(place));
  const folder = folders.find((candidate) => candidate.path === place);
  if (folder === undefined) {
    const steps = folders.map(({ step }) => step).join(', ') || 'none';
    throw nothing(`there is no checkpoint ${place}: the run has ${steps}`);
  }
  try {
    return { path: run, config, checkpoint: await readCheckpointOfStep(fileSystem, folder), checkpointPath: place };
  } catch (error) {
    if (!(error instanceof TrainerError)) throw error;
    throw environmentError(`${error.message}: resume from ${run} instead, which takes the newest that is whole`, {
      cause: error,
    });
  }
}

async function lastRun(fileSystem: FileSystem, out: string, onNotice: OnNotice): Promise<string> {
  const folder = path.resolve(out);
  const names = await fs.readdir(folder).catch(() => []);
  const runs: { readonly run: string; readonly written: number }[] = [];
  for (const name of names) {
    const run = path.join(folder, name);
    if (await isRun(run)) runs.push({ run, written: await lastWritten(run) });
  }
  if (runs.length === 0)
    throw nothing(`there are no runs in ${folder}: start one with "trainer start", or say where they are with --out`);
  runs.sort((a, b) => b.written - a.written || (a.run < b.run ? 1 : -1));
  for (const { run } of runs) {
    if ((await checkpointsOfRun(fileSystem, run)).length > 0) return run;
    onNotice(`${run} has no checkpoint to go on from: passed over`);
  }
  throw nothing(`no run in ${folder} has a checkpoint to go on from: start a run again`);
}

const isRun = async (folder: string): Promise<boolean> =>
  (await fs.stat(path.join(folder, RUN_FILES.config)).catch(() => undefined))?.isFile() ?? false;

/** Milliseconds; metrics are written throughout a run. */
const lastWritten = async (run: string): Promise<number> =>
  (await fs.stat(path.join(run, RUN_FILES.metrics)).catch(() => undefined))?.mtimeMs ?? 0;

const nothing = (message: string): TrainerError => new TrainerError(message, EXIT.noMatch);
