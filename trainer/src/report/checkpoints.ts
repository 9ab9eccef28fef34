// Checkpoints and commits as the process that trains writes them: one at a time, failures told in a line.
import path from 'node:path';
import { readManifest } from './checkpoint-files.js';
import { checkpointFolders } from './checkpoint-list.js';
import { CheckpointStore } from './checkpoint-store.js';
import type { CheckpointWriter, CommitWriter } from './contract.js';
import { type FileSystem, nodeFileSystem, withoutSyncs } from './file-system.js';
import { ioError } from './io-error.js';
import { RUN_FILES } from './run-files.js';
import { SerialQueue } from './serial-queue.js';

/** The newest may be the one whose writing was cut off by a loss of power; then there is the one before. */
const COMMITS_KEPT = 2;

/**
 * Clears up what a killed process left behind, and is ready to save.
 * @throws TrainerError (environment) where the disk refuses
 */
export async function openCheckpoints(
  { runPath, keep }: { readonly runPath: string; readonly keep: number },
  fileSystem: FileSystem = nodeFileSystem,
): Promise<CheckpointWriter> {
  return writer(await guarded(runPath, () => openStore(fileSystem, runPath, { keep })), runPath);
}

/** As `openCheckpoints`, for commits. */
export async function openCommits(
  { runPath }: { readonly runPath: string },
  fileSystem: FileSystem = nodeFileSystem,
): Promise<CommitWriter> {
  const commits = writer(await guarded(runPath, () => openCommitStore(fileSystem, runPath)), runPath);
  return { save: (checkpoint) => commits.save(checkpoint, { best: false }) };
}

interface StoreOptions {
  readonly keep: number;
  readonly upToStep?: number;
}

/** Removes checkpoints and commits of later steps. */
export async function dropCheckpointsAfter(
  fileSystem: FileSystem,
  runPath: string,
  options: Required<StoreOptions>,
): Promise<void> {
  await openStore(fileSystem, runPath, options);
  if ((await fileSystem.list(runPath)).includes(RUN_FILES.commits)) await openCommitStore(fileSystem, runPath, options.upToStep);
}

const openStore = (fileSystem: FileSystem, runPath: string, options: StoreOptions): Promise<CheckpointStore> =>
  CheckpointStore.open({ fileSystem, folder: path.join(runPath, RUN_FILES.checkpoints), ...options });

const openCommitStore = (fileSystem: FileSystem, runPath: string, upToStep = Number.POSITIVE_INFINITY) =>
  CheckpointStore.open({
    fileSystem: withoutSyncs(fileSystem),
    folder: path.join(runPath, RUN_FILES.commits),
    keep: COMMITS_KEPT,
    upToStep,
  });

/** Removes all commits, unless one is newer than every checkpoint, as where a run ended in a failure. */
export async function removeOvertakenCommits(fileSystem: FileSystem, runPath: string): Promise<void> {
  const folder = path.join(runPath, RUN_FILES.commits);
  const [commit] = await checkpointFolders(fileSystem, folder);
  if (commit !== undefined && commit.step > (await newestStep(fileSystem, runPath))) return;
  await fileSystem.remove(folder);
}

/** Of the checkpoints that have a manifest; -1: none. */
async function newestStep(fileSystem: FileSystem, runPath: string): Promise<number> {
  for (const { path: folder, step } of await checkpointFolders(fileSystem, path.join(runPath, RUN_FILES.checkpoints))) {
    const manifest = await readManifest(fileSystem, folder).catch(() => undefined);
    if (manifest !== undefined) return step;
  }
  return -1;
}

function writer(store: CheckpointStore, runPath: string): CheckpointWriter {
  const queue = new SerialQueue();
  return { save: (checkpoint, options) => queue.run(() => guarded(runPath, () => store.save(checkpoint, options))) };
}

async function guarded<T>(runPath: string, task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (error) {
    throw ioError('write a checkpoint in', runPath, error);
  }
}
