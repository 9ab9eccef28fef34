// Where ranks meet: all come, then all go on, or none does and all learn why. Waits by Atomics.wait alone.
//
// Everything hangs on one word of shared memory, STATE: how many times all ranks have met, and, in its sign, whether the group
// is aborted. The last rank to come counts up; an abort sets the sign, after which nobody counts. Both change the very word
// that is waited on, so that no wake-up is missed, and every rank sees the same meeting as the last that took place.
import { MOST_RANKS } from '@trainer/protocol';
import { ExchangeAborted } from './contract.js';

/** Bytes that a rendezvous takes of the shared memory. */
export const RENDEZVOUS_BYTES = 2048;

/** Words, each that many write on a cache line of its own. */
const STATE = 0;
const ARRIVED = 16;
/** 1: somebody writes the reason. */
const PEN = 32;
const REASON_LENGTH = 33;
/** For each rank, at how many meetings it was. */
const PROGRESS = 48;
const WORDS = PROGRESS + MOST_RANKS;
const REASON_BYTES = RENDEZVOUS_BYTES - WORDS * 4;

const ABORTED = -0x80000000;
const COUNT = 0x7fffffff;
/** Writing a reason takes microseconds. */
const PEN_PATIENCE_MS = 100;

/** What anybody can do who has the group. */
export class Rendezvous {
  protected readonly words: Int32Array;
  readonly #reason: Uint8Array;

  constructor(memory: SharedArrayBuffer, offset: number) {
    this.words = new Int32Array(memory, offset, WORDS);
    this.#reason = new Uint8Array(memory, offset + WORDS * 4, REASON_BYTES);
  }

  abort(reason: string): void {
    this.abortIf(reason, () => true);
  }

  /** Aborts unless it already is, or `still` says no of the state: all that decide at once see one outcome. */
  protected abortIf(reason: string, still: (state: number) => boolean): void {
    const { words } = this;
    this.#takePen();
    try {
      for (;;) {
        const state = Atomics.load(words, STATE);
        if (state < 0 || !still(state)) return;
        this.#write(reason);
        if (Atomics.compareExchange(words, STATE, state, state | ABORTED) === state) break;
      }
    } finally {
      Atomics.store(words, PEN, 0);
      Atomics.notify(words, PEN);
    }
    Atomics.notify(words, STATE);
  }

  /** Why the group was aborted, once it is. */
  aborted(): ExchangeAborted {
    const length = Atomics.load(this.words, REASON_LENGTH);
    return new ExchangeAborted(new TextDecoder().decode(this.#reason.slice(0, length)));
  }

  #takePen(): void {
    while (Atomics.compareExchange(this.words, PEN, 0, 1) !== 0) {
      // Whoever holds it that long was ended while it wrote.
      if (Atomics.wait(this.words, PEN, 1, PEN_PATIENCE_MS) === 'timed-out') return;
    }
  }

  #write(reason: string): void {
    const bytes = new TextEncoder().encode(reason).subarray(0, REASON_BYTES);
    this.#reason.set(bytes);
    Atomics.store(this.words, REASON_LENGTH, bytes.length);
  }
}

/** What one rank does. */
export class RankRendezvous extends Rendezvous {
  /** Meetings that this rank has come to. */
  #meetings: number;

  constructor(
    memory: SharedArrayBuffer,
    offset: number,
    readonly ranks: number,
    readonly rank: number,
  ) {
    super(memory, offset);
    this.#meetings = Atomics.load(this.words, PROGRESS + rank);
  }

  /** Meetings that this rank has come to: the same on all ranks at the same place in the program. */
  get meetings(): number {
    return this.#meetings;
  }

  /** @throws ExchangeAborted where the group is */
  check(): void {
    if (Atomics.load(this.words, STATE) < 0) throw this.aborted();
  }

  /** Says that this rank has come, without waiting. At most one meeting is open: call `wait` before the next. */
  arrive(): void {
    const { words } = this;
    const before = this.#meetings;
    this.#meetings = (before + 1) & COUNT;
    Atomics.store(words, PROGRESS + this.rank, this.#meetings);
    if (Atomics.add(words, ARRIVED, 1) < this.ranks - 1) return;
    Atomics.store(words, ARRIVED, 0);
    if (Atomics.compareExchange(words, STATE, before, this.#meetings) === before) Atomics.notify(words, STATE);
  }

  /**
   * Returns once all ranks have come to the meeting that this one came to last.
   * @param where for the error, "step 3"
   * @throws ExchangeAborted where one does not in time, or the group was aborted before they had
   */
  wait(where: string, deadlineMs: number): void {
    const ends = performance.now() + deadlineMs;
    for (;;) {
      const state = Atomics.load(this.words, STATE);
      if ((state & COUNT) === this.#meetings) return;
      if (state < 0) throw this.aborted();
      const leftMs = ends - performance.now();
      if (leftMs > 0) Atomics.wait(this.words, STATE, state, leftMs);
      else this.abortIf(this.#lateness(where, deadlineMs), (now) => now === state);
    }
  }

  #lateness(where: string, deadlineMs: number): string {
    const late = Array.from({ length: this.ranks }, (_, rank) => rank).filter(
      (rank) => Atomics.load(this.words, PROGRESS + rank) !== this.#meetings,
    );
    const [who, whom] = late.length === 1 ? [`rank ${late[0]} is`, 'it'] : [`ranks ${late.join(', ')} are`, 'them'];
    return `${who} late at ${where}: waited ${Number((deadlineMs / 1e3).toFixed(3))} s for ${whom}`;
  }
}
