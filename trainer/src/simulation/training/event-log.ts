// What was told of a run, numbered, so that whoever lost some of it finds out, and gets all of it or is told to begin anew.

/** Where a reader stands: the epoch it knows, and the number of the entry it wants next. */
export interface Place {
  readonly epoch: number;
  readonly next: number;
}

/** `number` counts from 0 in each epoch. */
export interface Numbered<T> {
  readonly epoch: number;
  readonly number: number;
  readonly entry: T;
}

/**
 * Entries by epoch. An epoch is a course of training without a way back: after a restart some steps are done again, which a reader
 * of the epoch before cannot go on to.
 *
 * @example
 * const log = new EventLog<string>({ keep: 100 });
 * log.append('a');
 * log.since({ epoch: 0, next: 0 }); // [{ epoch: 0, number: 0, entry: 'a' }]
 * log.beginEpoch();
 * log.since({ epoch: 0, next: 1 }); // undefined: a snapshot is needed
 */
export class EventLog<T> {
  readonly #keep: number;
  #epoch = 0;
  #next = 0;
  #entries: Numbered<T>[] = [];

  /** @param options.keep entries that readers may be behind */
  constructor({ keep }: { readonly keep: number }) {
    this.#keep = keep;
  }

  /** Of the entry to come. */
  get place(): Place {
    return { epoch: this.#epoch, next: this.#next };
  }

  append(entry: T): Numbered<T> {
    const numbered = { epoch: this.#epoch, number: this.#next++, entry };
    this.#entries.push(numbered);
    // Now and then, as the cut copies.
    if (this.#entries.length >= 2 * this.#keep) this.#entries = this.#entries.slice(-this.#keep);
    return numbered;
  }

  beginEpoch(): void {
    this.#epoch++;
    this.#next = 0;
    this.#entries = [];
  }

  /** All that a reader lacks; undefined where some of it is not there any more. */
  since({ epoch, next }: Place): readonly Numbered<T>[] | undefined {
    const first = this.#next - this.#entries.length;
    if (epoch !== this.#epoch || next < first || next > this.#next) return undefined;
    return this.#entries.slice(next - first);
  }
}
