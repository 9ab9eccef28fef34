// The exchange contract for ranks in one thread, on simulated time: what the ranks of a simulation average by.
import {
  type Contribution,
  type Exchange,
  ExchangeAborted,
  type ExchangeLayout,
  type ExchangeMemory,
  type ExchangeOptions,
  type ExchangeTimes,
  type Wire,
} from '../allreduce/contract.js';
import { describeLayout } from '../allreduce/plan.js';
import type { Clock } from '../time.js';

export interface SimulatedGroupOptions {
  readonly ranks: number;
  readonly wire: Wire;
}

/** All groups of a simulation. A group is told by a number, which crosses any channel. */
export class SimulatedExchanges {
  readonly #clock: Clock;
  readonly #groups: Group[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  create(options: SimulatedGroupOptions): number {
    return this.#groups.push(new Group(options, this.#clock)) - 1;
  }

  /** One rank's end of a group that `create` made. */
  join(group: unknown, rank: number, layout: ExchangeLayout): Exchange {
    return new SimulatedExchange(this.#groups[group as number]!, rank, layout);
  }

  abort(group: number, reason: string): void {
    this.#groups[group]!.abort(reason);
  }
}

/** What a rank has come with; a barrier has no contribution. */
interface Arrival {
  readonly where: string;
  readonly layout: ExchangeLayout;
  readonly contribution?: Contribution;
  readonly into?: ExchangeMemory;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly cancel: () => void;
}

type Coming = Omit<Arrival, 'resolve' | 'reject' | 'cancel'>;

/** Where the ranks of a group meet: all come, then all go on, or none does and all learn why. */
class Group {
  readonly ranks: number;
  readonly #wire: Wire;
  readonly #clock: Clock;
  /** By rank, of the meeting under way. */
  #arrivals = new Map<number, Arrival>();
  #reason: string | undefined;

  constructor({ ranks, wire }: SimulatedGroupOptions, clock: Clock) {
    this.ranks = ranks;
    this.#wire = wire;
    this.#clock = clock;
  }

  /** The first reason stays. */
  abort(reason: string): void {
    this.#reason ??= reason;
    for (const { reject, cancel } of this.#leave()) {
      cancel();
      reject(this.aborted());
    }
  }

  aborted(): ExchangeAborted {
    return new ExchangeAborted(this.#reason);
  }

  check(): void {
    if (this.#reason !== undefined) throw this.aborted();
  }

  meet(rank: number, coming: Coming, deadlineMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.later(() => this.abort(this.#lateness(coming.where, deadlineMs)), deadlineMs);
      this.#arrivals.set(rank, { ...coming, resolve, reject, cancel });
      if (this.#arrivals.size === this.ranks) this.#conclude();
    });
  }

  #conclude(): void {
    const arrivals = Array.from({ length: this.ranks }, (_, rank) => this.#arrivals.get(rank)!);
    const fault = disagreement(arrivals);
    if (fault !== undefined) return this.abort(fault);
    exchangeMeans(arrivals, this.#wire);
    for (const { resolve, cancel } of this.#leave()) {
      cancel();
      resolve();
    }
  }

  #leave(): Arrival[] {
    const left = [...this.#arrivals.values()];
    this.#arrivals = new Map();
    return left;
  }

  #lateness(where: string, deadlineMs: number): string {
    const late = Array.from({ length: this.ranks }, (_, rank) => rank).filter((rank) => !this.#arrivals.has(rank));
    const [who, whom] = late.length === 1 ? [`rank ${late[0]} is`, 'it'] : [`ranks ${late.join(', ')} are`, 'them'];
    return `${who} late at ${where}: waited ${Number((deadlineMs / 1000).toFixed(3))} s for ${whom}`;
  }
}

class SimulatedExchange implements Exchange {
  readonly ranks: number;
  readonly #group: Group;

  constructor(
    group: Group,
    readonly rank: number,
    readonly layout: ExchangeLayout,
  ) {
    this.ranks = group.ranks;
    this.#group = group;
  }

  async exchange(
    contribution: Contribution,
    into: ExchangeMemory,
    { step, deadlineMs }: ExchangeOptions,
  ): Promise<ExchangeTimes> {
    this.#group.check();
    this.#checkMemory(contribution, into);
    await this.#group.meet(this.rank, { where: `step ${step + 1}`, layout: this.layout, contribution, into }, deadlineMs);
    return { packMs: 0, waitMs: 0, reduceMs: 0, unpackMs: 0 };
  }

  async barrier({ deadlineMs }: Pick<ExchangeOptions, 'deadlineMs'>): Promise<void> {
    this.#group.check();
    await this.#group.meet(this.rank, { where: 'a barrier', layout: this.layout }, deadlineMs);
  }

  abort(reason: string): void {
    this.#group.abort(reason);
  }

  close(): void {
    this.#group.abort(`rank ${this.rank} has left the group`);
  }

  #checkMemory(contribution: Contribution, into: ExchangeMemory): void {
    const { examples } = contribution;
    if (!(Number.isFinite(examples) && examples >= 0)) this.#fail(`says it has ${examples} examples`);
    for (const part of ['gradients', 'exact'] as const) {
      if (examples > 0) this.#checkArrays(part, this.layout[part], contribution[part]);
      this.#checkArrays(`${part} for the mean`, this.layout[part], into[part]);
    }
  }

  #checkArrays(what: string, lengths: readonly number[], arrays: readonly Float32Array[]): void {
    if (arrays.length !== lengths.length) this.#fail(`gives ${arrays.length} ${what}: its layout says ${lengths.length}`);
    arrays.forEach(({ length }, i) => {
      if (length !== lengths[i]) this.#fail(`gives ${what}[${i}] of ${length} floats: its layout says ${lengths[i]}`);
    });
  }

  #fail(what: string): never {
    this.#group.abort(`rank ${this.rank} ${what}`);
    throw this.#group.aborted();
  }
}

/** What ranks that have all come do not agree on. */
function disagreement(arrivals: readonly Arrival[]): string | undefined {
  const [first] = arrivals;
  const layout = describeLayout(first!.layout);
  for (const [rank, other] of arrivals.entries()) {
    if (other.where !== first!.where) return `rank 0 is at ${first!.where}, rank ${rank} at ${other.where}`;
    const theirs = describeLayout(other.layout);
    if (theirs !== layout) return `rank 0 exchanges ${layout}, rank ${rank} ${theirs}`;
  }
  if (first!.contribution && totalOf(arrivals) === 0) return `no rank has examples at ${first!.where}`;
  return undefined;
}

const totalOf = (arrivals: readonly Arrival[]): number =>
  arrivals.reduce((sum, { contribution }) => sum + (contribution?.examples ?? 0), 0);

/** Writes the mean over all contributions, summed in rank order, to where each rank wants it. */
function exchangeMeans(arrivals: readonly Arrival[], wire: Wire): void {
  const total = totalOf(arrivals);
  for (const part of ['gradients', 'exact'] as const) {
    const cross = part === 'gradients' && wire === 'bf16' ? roundToBf16 : (array: Float32Array) => array;
    arrivals[0]!.layout[part].forEach((length, i) => {
      const sum = new Float64Array(length);
      for (const { contribution } of arrivals)
        if (contribution && contribution.examples > 0)
          cross(contribution[part][i]!).forEach((x, k) => {
            sum[k]! += (x * contribution.examples) / total;
          });
      const mean = cross(Float32Array.from(sum));
      for (const { into } of arrivals) into?.[part][i]?.set(mean);
    });
  }
}

/** To the nearest bfloat16, ties to even; a NaN stays one. */
function roundToBf16(array: Float32Array): Float32Array {
  const rounded = Float32Array.from(array);
  const bits = new Uint32Array(rounded.buffer);
  bits.forEach((word, i) => {
    if (!Number.isNaN(array[i]!)) bits[i] = (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000;
  });
  return rounded;
}
