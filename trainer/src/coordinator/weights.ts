// The weights that a run begins with: drawn from the seed, given in a file, or those of a checkpoint.
import { createHash } from 'node:crypto';
import type { RunConfig, Side } from '@trainer/protocol';
import { usageError } from '../errors.js';
import type { InitialValue, Model, ParameterRecord } from '../nn/contract.js';
import type { ModelTensors, ResumableRun } from '../report/contract.js';
import type { FloatTensor } from '../report/layout.js';
import { type GivenWeights, initialValues } from '../worker/pair.js';

export interface FirstWeights {
  readonly models: Partial<Record<Side, ModelTensors>>;
  /** Where they are from, for messages. */
  readonly source: string;
  /** SHA-256 (hex) of the values drawn or given, by side: equal for runs that started from the same weights. */
  readonly hashes: Partial<Record<Side, string>>;
}

export interface WeightsOptions {
  readonly models: readonly Model[];
  readonly config: RunConfig;
  readonly given?: GivenWeights | undefined;
  readonly resumed?: ResumableRun | undefined;
}

/** In memory that all threads see. @throws TrainerError (usage) where the checkpoint lacks a model */
export function firstWeights({ models, config, given, resumed }: WeightsOptions): FirstWeights {
  const tensors: Partial<Record<Side, ModelTensors>> = {};
  const hashes: Partial<Record<Side, string>> = {};
  for (const model of models) {
    const saved = resumed?.checkpoint.models[model.side];
    if (resumed && !saved) throw usageError(`${resumed.checkpointPath} has no ${model.side} model`);
    const initial = initialValues(model, config.seed, given);
    hashes[model.side] = hashOf(initial);
    tensors[model.side] = shared(saved ?? { values: initial, velocities: atRest(initial) });
  }
  return { models: tensors, source: resumed?.checkpointPath ?? 'the initial values', hashes };
}

const atRest = (initial: ParameterRecord<InitialValue>): Record<string, FloatTensor> =>
  mapped(initial, ({ shape, data }) => ({ shape, data: new Float32Array(data.length) }));

const shared = ({ values, velocities }: ModelTensors): ModelTensors => ({
  values: mapped(values, toShared),
  velocities: mapped(velocities, toShared),
});

function toShared({ shape, data }: FloatTensor): FloatTensor {
  const copy = new Float32Array(new SharedArrayBuffer(data.byteLength));
  copy.set(data);
  return { shape, data: copy };
}

const mapped = <T, U>(record: Readonly<Record<string, T>>, convert: (value: T) => U): Record<string, U> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, convert(value)]));

function hashOf(values: ParameterRecord<InitialValue>): string {
  const hash = createHash('sha256');
  for (const name of Object.keys(values).sort()) {
    const { shape, data } = values[name]!;
    hash.update(`${name}[${shape}]\0`).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}
