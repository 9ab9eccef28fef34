// What a rank trains on, as the rank sees it: a device with one model for each side. Sessions stand behind the real one; a fake
// one stands in for hardware and for its failures.
import type { Side } from '@trainer/protocol';
import type { Contribution, ExchangeLayout, ExchangeMemory, ExchangeTimes } from '../allreduce/contract.js';
import type { ChannelStatistics } from '../data/contract.js';
import type { ModelTensors } from '../report/contract.js';
import type { BuildRequest } from './rank-protocol.js';
import type { Batch, LayerNorms, StepOutcome } from './step.js';
import type { SyncExchange } from './sync-exchange.js';

export interface DeviceDescription {
  readonly engine: 'tensorflow' | 'wasm' | 'fake';
  /** For people and metadata: 'TensorFlow 2.21.0'. */
  readonly library: string;
  /** For people: 'NVIDIA H100', 'AMD EPYC, 1 of 2 cores'. */
  readonly device: string;
  readonly gpu: boolean;
  /** bfloat16 is multiplied in hardware. */
  readonly fastBf16: boolean;
}

/** Averages this rank's contribution with the others'. */
export type ExchangeStep = (contribution: Contribution, into: ExchangeMemory) => Promise<ExchangeTimes>;

export interface SharedStep {
  /** This rank's part of the global batch in pieces whose gradients are added up; empty where the rank has no examples. */
  readonly batches: readonly Batch[];
  /** Of the global batch. */
  readonly examples: number;
  readonly lr: number;
  readonly exchange: ExchangeStep;
  /** Where batch norms are over all ranks, what they exchange by. */
  readonly syncExchange?: SyncExchange;
}

export interface SharedOutcome extends StepOutcome {
  /** Milliseconds of both graphs. */
  readonly computeMs: number;
  readonly applyMs: number;
  readonly times: ExchangeTimes;
}

export interface DeviceModel {
  readonly side: Side;
  /** For messages: 'ResNet-20'. */
  readonly title: string;
  /** What its steps exchange. */
  readonly layout: ExchangeLayout;
  /** What its batch norms exchange at most, where they are over all ranks. */
  readonly syncLayout?: ExchangeLayout | undefined;
  /** A step of this rank alone: mean loss, and how many were right before the update. */
  train(batch: Batch, lr: number): Promise<StepOutcome>;
  /** A step of all ranks together; loss and count are the global batch's. Afterwards every rank holds the same weights. */
  trainShared(step: SharedStep): Promise<SharedOutcome>;
  /** Norms of the last step, in the order of the forward pass. */
  readonly norms: LayerNorms[];
  /** Sums over the first `count` images, with the running statistics. */
  evaluate(batch: Batch, count: number): Promise<StepOutcome>;
  /** From now on images are normalized by these statistics. */
  setPixels(pixels: ChannelStatistics): void;
  /** Copies of all values and velocities, into `into` where given: the result of an earlier call. */
  snapshot(into?: ModelTensors): ModelTensors;
  /** Puts a snapshot back; `source` names it in messages. @throws TrainerError (usage) where it is of another model */
  restore(snapshot: ModelTensors, source: string): void;
}

export interface Device {
  readonly description: DeviceDescription;
  /** It does not feel what this thread does: the models' exchanges are better made while it computes. */
  readonly overlaps: boolean;
  /** Makes the models of a configuration; once. @throws TrainerError (usage) where the configuration fits no model */
  build(request: BuildRequest, ranks: number): readonly DeviceModel[];
  close(): void;
}
