// The exchange engine for the worker threads of one process: frames in memory that all share, reduced in place.
//
// A gradient passes through bucket by bucket; buckets are small, so that they stay in the processor's caches, and take turns
// in a few slots. In its turn i a rank does three things, then waits for all others to have done the same:
//
//   packs bucket i        its own gradient into its own frame                    slot i     | r0 r1 r2 r3 |
//   reduces bucket i-1    its slice of all frames into that of rank 0            slot i-1   | == == == == |
//   unpacks bucket i-2    the frame of rank 0, now the mean, to where it goes    slot i-2   | m  .  .  .  |
//
// With a fourth slot packing need not wait: what was there three turns ago, all have unpacked.
import {
  GRADIENT_PAYLOAD_OFFSET,
  gradientHeaderWriter,
  gradientPayloadBytes,
  MOST_RANKS,
  readGradientHeader,
} from '@trainer/protocol';
import type { Contribution, Exchange, ExchangeLayout, ExchangeMemory, ExchangeOptions, ExchangeTimes, Wire } from './contract.js';
import { compileKernel, instantiateKernel, type ReduceKernel, TABLE_ENTRY_BYTES } from './kernel.js';
import { BLOCK_FLOATS, type Bucket, blocksOf, describeLayout, type Piece, planBuckets, sliceOf } from './plan.js';
import { RankRendezvous, RENDEZVOUS_BYTES, Rendezvous } from './rendezvous.js';

/** Made by one thread, posted to others: all it holds is shared or copied. */
export interface ExchangeGroup {
  readonly ranks: number;
  readonly wire: Wire;
  /** Most floats of a bucket. */
  readonly bucketFloats: number;
  readonly memory: WebAssembly.Memory;
  readonly kernel: WebAssembly.Module;
}

export interface GroupOptions {
  /** 1 to 32. */
  readonly ranks: number;
  readonly wire: Wire;
  /** Floats of a bucket, rounded up to a multiple of 32. */
  readonly bucketFloats?: number;
}

/** 1 MiB of float32: infra/decisions/0009-all-reduce.md says what others cost. */
const BUCKET_FLOATS = 262_144;
/** A power of two, as the count of meetings that chooses the slot wraps around at one. */
const SLOTS = 4;
const PAGE_BYTES = 65_536;
/** The kernel's first bytes are its own; then the rendezvous, and a table of ranks for each rank, on the first page. */
const RENDEZVOUS_AT = 1024;
const TABLES_AT = RENDEZVOUS_AT + RENDEZVOUS_BYTES;
const TABLE_BYTES = MOST_RANKS * TABLE_ENTRY_BYTES;

type Sizes = Pick<ExchangeGroup, 'ranks' | 'wire' | 'bucketFloats'>;

/** A bucket of each rank on its way to bfloat16 and back: only where the kernel sees it can it be rounded. */
const stagesAt = PAGE_BYTES;
const stageBytes = ({ wire, bucketFloats }: Sizes): number => (wire === 'bf16' ? bucketFloats * 4 : 0);
const framesAt = (sizes: Sizes): number => stagesAt + sizes.ranks * stageBytes(sizes);
/** A frame of either wire fits: the exact part crosses as float32 whatever the wire. */
const frameBytes = ({ bucketFloats }: Sizes): number => GRADIENT_PAYLOAD_OFFSET + gradientPayloadBytes('fp32', bucketFloats);

/** @throws RangeError for a number of ranks that cannot be */
export function createGroup({ ranks, wire, bucketFloats = BUCKET_FLOATS }: GroupOptions): ExchangeGroup {
  if (!(Number.isInteger(ranks) && ranks >= 1 && ranks <= MOST_RANKS))
    throw new RangeError(`a group has 1 to ${MOST_RANKS} ranks, not ${ranks}`);
  const sizes = { ranks, wire, bucketFloats: blocksOf(bucketFloats) * BLOCK_FLOATS };
  const kernel = compileKernel();
  const bytes = framesAt(sizes) + SLOTS * ranks * frameBytes(sizes);
  const pages = Math.ceil(bytes / PAGE_BYTES);
  return { ...sizes, kernel, memory: new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }) };
}

/** Makes the exchange under way and all later ones of every rank fail with this reason; the first reason stays. */
export const abortGroup = ({ memory }: ExchangeGroup, reason: string): void =>
  new Rendezvous(memory.buffer, RENDEZVOUS_AT).abort(reason);

/** One rank's end, in the thread that calls. Its waits block that thread. */
export const joinGroup = (group: ExchangeGroup, rank: number, layout: ExchangeLayout): Exchange =>
  new SharedMemoryExchange(group, rank, layout);

type HeaderWriter = ReturnType<typeof gradientHeaderWriter>;
type Times = { -readonly [K in keyof ExchangeTimes]: ExchangeTimes[K] };

class SharedMemoryExchange implements Exchange {
  readonly ranks: number;
  readonly #group: ExchangeGroup;
  readonly #kernel: ReduceKernel;
  readonly #meeting: RankRendezvous;
  readonly #buckets: readonly Bucket[];
  readonly #headers: readonly HeaderWriter[];
  readonly #layoutName: string;
  readonly #buffer: SharedArrayBuffer;
  readonly #floats: Float32Array;
  readonly #view: DataView;
  /** Of each rank in the exchange under way. */
  #weights: readonly number[] = [];
  #closed = false;

  constructor(
    group: ExchangeGroup,
    readonly rank: number,
    readonly layout: ExchangeLayout,
  ) {
    const { ranks, wire, bucketFloats, memory, kernel } = group;
    if (!(Number.isInteger(rank) && rank >= 0 && rank < ranks)) throw new RangeError(`a group of ${ranks} has no rank ${rank}`);
    this.ranks = ranks;
    this.#group = group;
    this.#kernel = instantiateKernel(kernel, memory);
    this.#buffer = memory.buffer;
    this.#floats = new Float32Array(this.#buffer);
    this.#view = new DataView(this.#buffer);
    this.#meeting = new RankRendezvous(this.#buffer, RENDEZVOUS_AT, ranks, rank);
    this.#buckets = planBuckets(layout, wire, bucketFloats);
    this.#layoutName = describeLayout(layout);
    const fixed = { rank, buckets: this.#buckets.length, layout: this.#layoutName };
    this.#headers = this.#buckets.map(({ wire, floats }, bucket) => gradientHeaderWriter({ ...fixed, wire, floats, bucket }));
  }

  async exchange(contribution: Contribution, into: ExchangeMemory, options: ExchangeOptions): Promise<ExchangeTimes> {
    this.#meeting.check();
    this.#checkMemory(contribution, into);
    const last = this.#buckets.length;
    const firstSlot = this.#meeting.meetings;
    const where = stepName(options.step);
    const times: Times = { packMs: 0, waitMs: 0, reduceMs: 0, unpackMs: 0 };
    let lap = performance.now();
    const spent = (on: keyof Times): void => {
      const now = performance.now();
      times[on] += now - lap;
      lap = now;
    };
    for (let turn = 0; turn <= last + 1; turn++) {
      if (turn < last) this.#pack(turn, firstSlot + turn, contribution, options.step);
      spent('packMs');
      if (turn > 0) this.#meeting.wait(where, options.deadlineMs);
      spent('waitMs');
      if (turn === 1) this.#weights = this.#agree(firstSlot, options.step);
      if (turn >= 1 && turn <= last) this.#reduce(this.#buckets[turn - 1]!, firstSlot + turn - 1);
      spent('reduceMs');
      if (turn >= 2) this.#unpack(this.#buckets[turn - 2]!, firstSlot + turn - 2, into);
      // Nobody waits for the end of the last turn: its slot is written again only after the next meeting.
      if (turn <= last) this.#meeting.arrive();
      spent('unpackMs');
    }
    return times;
  }

  async barrier({ deadlineMs }: Pick<ExchangeOptions, 'deadlineMs'>): Promise<void> {
    this.#meeting.check();
    this.#meeting.arrive();
    this.#meeting.wait('a barrier', deadlineMs);
  }

  abort(reason: string): void {
    this.#meeting.abort(reason);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Those that have all they need from this rank do not notice.
    this.abort(`rank ${this.rank} has left the group`);
  }

  #frameAt(slot: number, rank: number): number {
    return framesAt(this.#group) + ((slot % SLOTS) * this.ranks + rank) * frameBytes(this.#group);
  }

  #payloadAt(slot: number, rank: number): number {
    return this.#frameAt(slot, rank) + GRADIENT_PAYLOAD_OFFSET;
  }

  get #stageAt(): number {
    return stagesAt + this.rank * stageBytes(this.#group);
  }

  #pack(bucket: number, slot: number, contribution: Contribution, step: number): void {
    const { wire, floats, pieces } = this.#buckets[bucket]!;
    const frame = new DataView(this.#buffer, this.#frameAt(slot, this.rank), GRADIENT_PAYLOAD_OFFSET);
    this.#headers[bucket]!(frame, step, contribution.examples);
    if (contribution.examples === 0) return;
    const payload = this.#payloadAt(slot, this.rank);
    this.#gather(pieces, wire === 'bf16' ? this.#stageAt : payload, contribution);
    if (wire === 'bf16') this.#kernel.packBf16(this.#stageAt, payload, blocksOf(floats));
  }

  /** Averages this rank's slice of all frames into that of rank 0. */
  #reduce({ wire, floats }: Bucket, slot: number): void {
    const { from, blocks } = sliceOf(floats, this.ranks, this.rank);
    const offset = from * gradientPayloadBytes(wire, BLOCK_FLOATS);
    const table = TABLES_AT + this.rank * TABLE_BYTES;
    let entries = 0;
    this.#weights.forEach((weight, rank) => {
      if (weight === 0) return;
      const entry = table + entries++ * TABLE_ENTRY_BYTES;
      this.#view.setUint32(entry, this.#payloadAt(slot, rank) + offset, true);
      this.#view.setFloat32(entry + 4, weight, true);
    });
    const mean = wire === 'bf16' ? this.#kernel.meanBf16 : this.#kernel.meanF32;
    mean(table, entries, this.#payloadAt(slot, 0) + offset, blocks);
  }

  #unpack({ wire, floats, pieces }: Bucket, slot: number, into: ExchangeMemory): void {
    const payload = this.#payloadAt(slot, 0);
    if (wire === 'bf16') this.#kernel.unpackBf16(payload, this.#stageAt, blocksOf(floats));
    this.#scatter(pieces, wire === 'bf16' ? this.#stageAt : payload, into);
  }

  /** Copies pieces of arrays to where they follow each other. */
  #gather(pieces: readonly Piece[], address: number, memory: ExchangeMemory): void {
    for (const { part, array, from, at, floats } of pieces)
      this.#floats.set(memory[part][array]!.subarray(from, from + floats), address / 4 + at);
  }

  #scatter(pieces: readonly Piece[], address: number, memory: ExchangeMemory): void {
    for (const { part, array, from, at, floats } of pieces) {
      const begin = address / 4 + at;
      memory[part][array]!.set(this.#floats.subarray(begin, begin + floats), from);
    }
  }

  /** Weights of all ranks, from the frames of the first bucket. All ranks read the same, so all find the same fault. */
  #agree(slot: number, step: number): number[] {
    const { wire } = this.#buckets[0]!;
    const headers = Array.from({ length: this.ranks }, (_, rank) =>
      readGradientHeader(new Uint8Array(this.#buffer, this.#frameAt(slot, rank), GRADIENT_PAYLOAD_OFFSET), wire),
    );
    const first = headers[0]!;
    for (const { rank, step: at, layout } of headers) {
      if (at !== first.step) this.#fail(`rank 0 is at ${stepName(first.step)}, rank ${rank} at ${stepName(at)}`);
      if (layout !== first.layout) this.#fail(`rank 0 exchanges ${first.layout}, rank ${rank} ${layout}`);
    }
    const total = headers.reduce((sum, { examples }) => sum + examples, 0);
    if (total === 0) this.#fail(`no rank has examples at ${stepName(step)}`);
    return headers.map(({ examples }) => examples / total);
  }

  #checkMemory(contribution: Contribution, into: ExchangeMemory): void {
    const { examples } = contribution;
    if (!(Number.isFinite(examples) && examples >= 0)) this.#fail(`rank ${this.rank} says it has ${examples} examples`);
    for (const part of ['gradients', 'exact'] as const) {
      if (examples > 0) this.#checkArrays(part, this.layout[part], contribution[part]);
      this.#checkArrays(`${part} for the mean`, this.layout[part], into[part]);
    }
  }

  #checkArrays(what: string, lengths: readonly number[], arrays: readonly Float32Array[]): void {
    if (arrays.length !== lengths.length)
      this.#fail(`rank ${this.rank} gives ${arrays.length} ${what}: its layout says ${lengths.length}`);
    arrays.forEach(({ length }, i) => {
      if (length !== lengths[i])
        this.#fail(`rank ${this.rank} gives ${what}[${i}] of ${length} floats: its layout says ${lengths[i]}`);
    });
  }

  /** Aborts the group and throws the reason that all see: this one, unless another was first. */
  #fail(reason: string): never {
    this.abort(reason);
    throw this.#meeting.aborted();
  }
}

/** Steps are shown from 1. */
const stepName = (completed: number): string => `step ${completed + 1}`;
