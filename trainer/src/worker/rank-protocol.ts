// What the coordinator asks of a rank and what it answers: plain values that cross between threads; large arrays lie in memory
// that both see. A rank does one thing at a time, in the order asked.
import type { RunConfig, Side } from '@trainer/protocol';
import type { ExchangeTimes } from '../allreduce/contract.js';
import type { ExchangeGroup } from '../allreduce/shared-memory.js';
import type { ChannelStatistics, ImageSet } from '../data/contract.js';
import type { ModelTensors } from '../report/contract.js';
import type { DeviceDescription } from './device.js';
import type { LayerNorms } from './step.js';

export type SetName = 'validation' | 'test';

/** Images of the training and test sets by index. */
export interface Split {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
  readonly test: Uint32Array;
}

export interface BuildRequest {
  readonly config: RunConfig;
  readonly classes: readonly string[];
  readonly train: ImageSet;
  readonly test: ImageSet;
}

export interface JoinRequest {
  readonly gradients: Partial<Record<Side, ExchangeGroup>>;
  /** Of batch norms that are over all ranks. */
  readonly norms?: Partial<Record<Side, ExchangeGroup>>;
}

export interface PlaceRequest {
  readonly config: RunConfig;
  readonly split: Split;
  readonly pixels: ChannelStatistics;
  readonly models: Partial<Record<Side, ModelTensors>>;
  /** Where the weights came from, for messages. */
  readonly source: string;
}

export interface StepRequest {
  /** Completed steps before this one. */
  readonly step: number;
  readonly lr: number;
  /** How long a rank may wait for the others. */
  readonly deadlineMs: number;
  /** Whether the layers' norms are wanted. */
  readonly norms: boolean;
}

/** Milliseconds of a rank's part in a step: its own graphs, and the exchange where there are several ranks. */
export interface RankTimes extends Partial<ExchangeTimes> {
  readonly computeMs: number;
  readonly applyMs?: number;
}

export interface SideStep {
  readonly side: Side;
  /** Of the global batch, the same on every rank. */
  readonly loss: number;
  readonly correct: number;
  /** All of this side's part of the step, without the filling of batches. */
  readonly stepMs: number;
  readonly times: RankTimes;
  /** What shows that the step spoiled the weights: "its loss is NaN". */
  readonly trouble?: string;
  readonly norms?: readonly LayerNorms[];
}

export interface StepReply {
  readonly sides: readonly SideStep[];
  /** Milliseconds of filling batches, and those in which the device may have waited for them. */
  readonly input: InputTimes;
}

export interface InputTimes {
  readonly fillMs: number;
  readonly waitMs: number;
}

export interface ScoreRequest {
  readonly side: Side;
  readonly set: SetName;
  /** Part of the set that all ranks share: [start, start + count). */
  readonly start: number;
  readonly count: number;
}

export interface Sums {
  readonly loss: number;
  readonly correct: number;
}

/** Each question with its answer. */
export interface RankCalls {
  /** Opens the device. */
  open: { request: null; reply: DeviceDescription };
  /** Builds the models; their weights come with `place`. */
  build: { request: BuildRequest; reply: null };
  /** The groups in which each side's steps are averaged, where there are several ranks. */
  join: { request: JoinRequest; reply: null };
  /** Times a few steps; their weights are spent. Images per second of this rank's share, all models together. */
  time: { request: { readonly batchSize: number }; reply: number };
  /** Weights, images and learning-rate plan of a run: steps may follow. */
  place: { request: PlaceRequest; reply: null };
  step: { request: StepRequest; reply: StepReply };
  score: { request: ScoreRequest; reply: Sums };
  /** Copies of all weights in shared memory, which the next snapshot overwrites. */
  snapshot: { request: null; reply: Partial<Record<Side, ModelTensors>> };
  /** A checksum of each value and velocity, named `<side> <name>`. */
  digest: { request: null; reply: Readonly<Record<string, string>> };
  close: { request: null; reply: null };
}

export type RankCall = keyof RankCalls;

export interface RankBody<C extends RankCall = RankCall> {
  readonly call: C;
  readonly request: RankCalls[C]['request'];
}

/** A line for the rank's log; one that concerns the user too is shown, of the first rank. */
export interface RankLog {
  readonly type: 'log';
  readonly line: string;
  readonly concernsUser: boolean;
}
