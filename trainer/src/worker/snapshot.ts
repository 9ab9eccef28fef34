// A model's tensors out of a session and back into it: what checkpoints hold.
import type * as tf from '@tensorflow/tfjs-core';
import { usageError } from '../errors.js';
import type { Session } from '../jit/contract.js';
import type { InitialValue, ParameterRecord } from '../nn/contract.js';
import type { ModelTensors } from '../report/contract.js';
import type { FloatTensor } from '../report/layout.js';
import type { Learner } from './step.js';

type Tensors = Readonly<Record<string, FloatTensor>>;

/** Copies of all values and velocities in memory that threads share: that of `into`, an earlier result, or new. */
export function takeSnapshot(session: Session, { values, velocities }: Learner, into?: ModelTensors): ModelTensors {
  const shared = into ?? { values: sharedMemory(values), velocities: sharedMemory(velocities) };
  readInto(session, values, shared.values);
  readInto(session, velocities, shared.velocities);
  return shared;
}

const sharedMemory = (variables: ParameterRecord<tf.Variable>): Tensors =>
  Object.fromEntries(
    Object.entries(variables).map(([name, { shape, size }]) => [
      name,
      { shape, data: new Float32Array(new SharedArrayBuffer(size * Float32Array.BYTES_PER_ELEMENT)) },
    ]),
  );

function readInto(session: Session, variables: ParameterRecord<tf.Variable>, tensors: Tensors): void {
  const names = Object.keys(variables);
  session.read(
    names.map((name) => variables[name]!),
    names.map((name) => tensors[name]!.data),
  );
}

/** Puts a snapshot back. @throws TrainerError (usage) where names or shapes are not the model's. */
export function restoreSnapshot(session: Session, learner: Learner, snapshot: ModelTensors, source: string): void {
  writeAll(session, learner.values, snapshot.values, source);
  writeAll(session, learner.velocities, snapshot.velocities, source);
}

function writeAll(session: Session, variables: ParameterRecord<tf.Variable>, tensors: Tensors, source: string): void {
  const names = Object.keys(variables);
  for (const name of names) assertFits(name, variables[name]!.shape, tensors[name], source);
  session.write(
    names.map((name) => variables[name]!),
    names.map((name) => tensors[name]!.data),
  );
}

/** First values with those of `given` in place of the drawn ones, where both have the name (`--init`). */
export function withGivenValues(
  initial: ParameterRecord<InitialValue>,
  given: Tensors,
  source: string,
): ParameterRecord<InitialValue> {
  const taken = Object.keys(initial).filter((name) => given[name]);
  if (taken.length === 0)
    throw usageError(
      `${source} has none of the model's parameters (${Object.keys(initial)[0]}, ...): give weights with torchvision's names`,
    );
  for (const name of taken) assertFits(name, initial[name]!.shape, given[name], source);
  return Object.fromEntries(
    Object.entries(initial).map(([name, value]) => [name, given[name] ? { ...value, data: given[name].data } : value]),
  );
}

function assertFits(name: string, shape: readonly number[], tensor: FloatTensor | undefined, source: string): void {
  if (!tensor) throw usageError(`${source} lacks ${name}: it is of another model`);
  if (tensor.shape.join() !== shape.join())
    throw usageError(`${source} has ${name} of shape [${tensor.shape}], the model wants [${shape}]: it is of another model`);
}
