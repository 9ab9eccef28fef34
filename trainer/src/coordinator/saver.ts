// Copies of the weights to disk while training goes on: checkpoints that stay, and commits that a crash is recovered from.
import type { OnEvent, Position } from '@trainer/protocol';
import type { Checkpoint } from '../report/contract.js';

export interface SaverOptions {
  /** Writes a checkpoint or commit and returns its path. */
  readonly checkpoint: (checkpoint: Checkpoint, options: { readonly best: boolean }) => Promise<string>;
  readonly commit: (checkpoint: Checkpoint) => Promise<string>;
  readonly onEvent: OnEvent;
}

/** One save at a time. */
export class Saver {
  readonly #options: SaverOptions;
  #saving: Promise<void> = Promise.resolve();
  #busy = false;

  constructor(options: SaverOptions) {
    this.#options = options;
  }

  /** A save is under way. */
  get busy(): boolean {
    return this.#busy;
  }

  /** Resolves once the save under way is on disk. @throws what it failed with */
  settled(): Promise<void> {
    return this.#saving;
  }

  checkpoint(copy: Checkpoint, position: Position, best: boolean): void {
    this.#start(this.#options.checkpoint(copy, { best }), (path) => ({ type: 'checkpoint', position, path, best }));
  }

  commit(copy: Checkpoint, position: Position): void {
    this.#start(this.#options.commit(copy), (path) => ({ type: 'commit', position, path }));
  }

  #start(written: Promise<string>, event: (path: string) => Parameters<OnEvent>[0]): void {
    this.#busy = true;
    this.#saving = written.then(
      (path) => {
        this.#busy = false;
        this.#options.onEvent(event(path));
      },
      (error: unknown) => {
        this.#busy = false;
        throw error;
      },
    );
    // A failure is thrown by whoever waits next; until then it is not unhandled.
    this.#saving.catch(() => undefined);
  }
}
