// The seams of the coordinator: the ranks that train, and whom it tells how it goes.
import type { MetricRecord, ModelCost, OnEvent, Side } from '@trainer/protocol';
import type { OnProgress } from '../data/contract.js';
import type { ModelTensors } from '../report/contract.js';
import type { DeviceDescription } from '../worker/device.js';
import type {
  BuildRequest,
  InputTimes,
  PlaceRequest,
  RankTimes,
  ScoreRequest,
  SideStep,
  StepRequest,
  Sums,
} from '../worker/rank-protocol.js';

/** A side's step as all ranks did it; numbers are the global batch's. */
export interface GroupStep extends Omit<SideStep, 'times'> {
  /** By rank. */
  readonly times: readonly RankTimes[];
}

/**
 * All ranks of a run, asked as one. Calls are not made before the one before is answered.
 * Every method throws `RankFailure` where a rank fails or is late, after which no further call is possible.
 */
export interface RankGroup {
  readonly ranks: number;
  /** Opens every rank's device; descriptions by rank. */
  open(): Promise<readonly DeviceDescription[]>;
  build(request: BuildRequest): Promise<void>;
  /** Images per second of all ranks together. */
  time(batchSize: number): Promise<number>;
  place(request: PlaceRequest): Promise<void>;
  step(
    request: Omit<StepRequest, 'deadlineMs'> & { readonly compiles: boolean },
  ): Promise<{ readonly sides: readonly GroupStep[]; readonly input: InputTimes }>;
  score(request: ScoreRequest): Promise<Sums>;
  /** Weights and velocities of all models, in memory that the next snapshot overwrites. */
  snapshot(): Promise<Partial<Record<Side, ModelTensors>>>;
  /** @throws RankFailure naming the value in which ranks differ */
  verify(step: number): Promise<void>;
  close(): Promise<void>;
}

/** A rank failed, and with it all of them: nothing the user did, so training may be begun anew. */
export class RankFailure extends Error {
  override readonly name = 'RankFailure';
}

/** Whom the coordinator tells. */
export interface Teller {
  notice(line: string): void;
  readonly onProgress: OnProgress;
  readonly onEvent: OnEvent;
  record(records: readonly MetricRecord[]): void;
  /** A line that only the rank's own log shows. */
  rankLog(rank: number, line: string): void;
  models(models: readonly ModelCost[]): void;
  /** Results, for stdout. */
  print(text: string): void;
  /** Resolves when more may be told: what is told faster than it can be taken would fill the memory. */
  ready(): Promise<void>;
}
