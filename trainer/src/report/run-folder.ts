// Opens the folder of a run for writing: a new one, or one whose run goes on from a checkpoint.
import { access, constants, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { RunConfig } from '@trainer/protocol';
import { usageError } from '../errors.js';
import { errorCode } from '../files.js';
import { writeAtomically } from './atomic.js';
import { removeOvertakenCommits } from './checkpoints.js';
import { encodeConfig } from './config-file.js';
import type { CreateRunOptions, ResumableRun, RunFolder } from './contract.js';
import { writeDerivedFiles } from './derived-files.js';
import { type FileSystem, makeFolders, nodeFileSystem } from './file-system.js';
import { History } from './history.js';
import { ioError } from './io-error.js';
import { decodeMetadata, describeRun, encodeMetadata, type RunRecord } from './metadata.js';
import { OpenRun } from './open-run.js';
import { RUN_FILES } from './run-files.js';
import { lockRun } from './run-lock.js';
import { checkRunName, defaultRunName } from './run-name.js';

/**
 * Makes the folder of a new run, with config.yaml and metadata.json in it. Where that fails, no folder is left.
 * @throws TrainerError: exit code 2 for a name that is taken or cannot be one, 3 where the disk refuses.
 */
export async function createRun(options: CreateRunOptions, fileSystem: FileSystem = nodeFileSystem): Promise<RunFolder> {
  const out = path.resolve(options.out);
  const now = new Date();
  const folder = await makeRunFolder(fileSystem, out, options, now);
  try {
    const metadata = describeRun(path.basename(folder), options.metadata, now);
    await writeAtomically(fileSystem, path.join(folder, RUN_FILES.config), encodeConfig(options.config));
    await writeAtomically(fileSystem, path.join(folder, RUN_FILES.metadata), encodeMetadata(metadata));
    await fileSystem.syncFolder(out);
    return await openRun({ fileSystem, folder, config: options.config, metadata });
  } catch (error) {
    await fileSystem.remove(folder).catch(() => undefined);
    throw ioError('make the run folder', folder, error);
  }
}

/**
 * Finds out early what would stand in the way of a new run, and leaves nothing behind.
 * @throws TrainerError as `createRun`
 */
export async function checkRunPlace({ out, name }: { readonly out: string; readonly name: string | null }): Promise<void> {
  if (name !== null) checkRunName(name);
  const folder = path.resolve(out);
  try {
    // The nearest folder that is there must take new ones; a file in the way is named by the system.
    const names = await readdir(folder).catch(async (error: unknown) => {
      if (errorCode(error) !== 'ENOENT') throw error;
      if (path.dirname(folder) !== folder) await checkRunPlace({ out: path.dirname(folder), name: null });
      return undefined;
    });
    if (names) await access(folder, constants.W_OK);
    if (name !== null && names?.includes(name)) throw nameTaken(path.join(folder, name));
  } catch (error) {
    throw ioError('make the run folder', folder, error);
  }
}

const nameTaken = (folder: string): Error =>
  usageError(`${folder} exists already: choose another --name, or go on with that run: --resume ${folder}`);

/** What of a resumable run its folder needs: where it lies, and after how many steps it goes on. */
type RunToReopen = Pick<ResumableRun, 'path' | 'config'> & { readonly checkpoint: { readonly state: { readonly step: number } } };

/**
 * Opens the run again where its checkpoint left it: later metrics and checkpoints are removed, TensorBoard is told.
 * @throws TrainerError (environment) where another process writes the run, or the disk refuses.
 */
export async function reopenRun(run: RunToReopen, fileSystem: FileSystem = nodeFileSystem): Promise<RunFolder> {
  const { path: folder, config } = run;
  try {
    const metadata = decodeMetadata(await readText(fileSystem, path.join(folder, RUN_FILES.metadata)));
    return await openRun({ fileSystem, folder, config, metadata, upToStep: run.checkpoint.state.step });
  } catch (error) {
    throw ioError('open the run', folder, error);
  }
}

async function makeRunFolder(
  fileSystem: FileSystem,
  out: string,
  { name, config, metadata }: CreateRunOptions,
  now: Date,
): Promise<string> {
  if (name !== undefined) checkRunName(name);
  const wanted = name ?? defaultRunName(config, metadata.dataset.name, now);
  try {
    await makeFolders(fileSystem, out);
    for (let attempt = 1; ; attempt++) {
      const folder = path.join(out, attempt === 1 ? wanted : `${wanted}-${attempt}`);
      try {
        await fileSystem.makeFolder(folder);
        return folder;
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error;
        if (name !== undefined) throw nameTaken(folder);
      }
    }
  } catch (error) {
    throw ioError('make the run folder', path.join(out, wanted), error);
  }
}

interface OpenOptions {
  readonly fileSystem: FileSystem;
  readonly folder: string;
  readonly config: RunConfig;
  readonly metadata: RunRecord | undefined;
  /** Present when the run goes on: what lies behind this step is removed. */
  readonly upToStep?: number;
}

async function openRun({ fileSystem, folder, config, metadata, upToStep }: OpenOptions): Promise<RunFolder> {
  const name = path.basename(folder);
  const undo: (() => Promise<void>)[] = [];
  const opened = async (file: string) => {
    const handle = await fileSystem.open(path.join(folder, file), 'append');
    undo.push(() => handle.close());
    return handle;
  };
  try {
    const unlock = await lockRun(fileSystem, folder);
    undo.push(unlock);
    const metrics = await opened(RUN_FILES.metrics);
    const history = new History({ fileSystem, folder, keep: config.keep, metrics }, metadata);
    if (upToStep !== undefined) await writeAtomically(fileSystem, path.join(folder, RUN_FILES.config), encodeConfig(config));
    const events = await (upToStep === undefined ? history.begin() : history.goBack(upToStep));
    undo.push(() => events.close());
    const log = await opened(RUN_FILES.log);
    // The names of the files just made; checkpoints and syncs of their contents count on them.
    await fileSystem.syncFolder(folder);
    return new OpenRun({
      ...{ fileSystem, path: folder, name, log, metrics, events, unlock },
      goBack: (step) => history.goBack(step),
      summaryPath: path.join(folder, RUN_FILES.summary),
      derive: (summary) => writeDerivedFiles({ fileSystem, folder, name, config, metadata: history.metadata, summary }),
      tidy: () => removeOvertakenCommits(fileSystem, folder),
    });
  } catch (error) {
    for (const step of undo.reverse()) await step().catch(() => undefined);
    throw error;
  }
}

/** '' where there is no such file. */
async function readText(fileSystem: FileSystem, file: string): Promise<string> {
  try {
    return new TextDecoder().decode(await fileSystem.readFile(file));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw error;
  }
}
