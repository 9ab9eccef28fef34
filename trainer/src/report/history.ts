// The course of a run in its folder: how it begins, and how it goes back to an earlier step, from which it then goes on.
import path from 'node:path';
import { writeAtomically } from './atomic.js';
import { dropCheckpointsAfter } from './checkpoints.js';
import { EventFiles } from './event-files.js';
import type { FileSystem, OpenFile } from './file-system.js';
import { describeResumed, encodeMetadata, type RunRecord } from './metadata.js';
import { lengthUpToStep } from './metrics-file.js';
import { RUN_FILES } from './run-files.js';

export interface HistoryParts {
  readonly fileSystem: FileSystem;
  /** The run folder, which is this process's alone. */
  readonly folder: string;
  readonly keep: number;
  readonly metrics: OpenFile;
}

export class History {
  constructor(
    private readonly parts: HistoryParts,
    /** Of the run so far; undefined where the file was lost. */
    public metadata: RunRecord | undefined,
  ) {}

  /** What is told to TensorBoard from now on. */
  begin(): EventFiles {
    return EventFiles.create(this.parts.fileSystem, this.parts.folder);
  }

  /** Removes what lies behind `step` completed steps, and says in metadata.json and to TensorBoard that it did. As `begin`. */
  async goBack(step: number): Promise<EventFiles> {
    const { fileSystem, folder, keep, metrics } = this.parts;
    // First, so that whatever is found after a crash on the way has no metrics missing.
    await dropCheckpointsAfter(fileSystem, folder, { keep, upToStep: step });
    await metrics.truncate(await lengthUpToStep(path.join(folder, RUN_FILES.metrics), step));
    this.metadata &&= describeResumed(this.metadata, step, new Date());
    if (this.metadata !== undefined)
      await writeAtomically(fileSystem, path.join(folder, RUN_FILES.metadata), encodeMetadata(this.metadata));
    return await EventFiles.resume(fileSystem, folder, step);
  }
}
