// For tests: small checkpoints whose every value follows from their step.
import type { SideState } from '@trainer/protocol';
import type { Checkpoint, ModelTensors } from './contract.js';
import type { FloatTensor } from './layout.js';

const SHAPES: Readonly<Record<string, readonly number[]>> = {
  'conv1.weight': [3, 3, 2, 4],
  'bn1.running_mean': [4],
  'fc.weight': [4, 10],
};

/** `step` decides the values; `scale` makes another checkpoint of the same step. */
export function testCheckpoint(step: number, scale = 1): Checkpoint {
  const side: SideState = {
    sums: { loss: step * scale, correct: 1, examples: 2 },
    trainError: null,
    valAccuracy: 12.5,
    testAccuracy: null,
    bestEpoch: 1,
    bestValAccuracy: 12.5,
    stepSeconds: 0.25,
    images: 128,
  };
  return {
    state: {
      version: 1,
      step,
      epoch: 2,
      stepInEpoch: 3,
      seconds: 4.5,
      dataHash: 'ab',
      models: { resnet: side, plain: side },
      lrFactor: 0.5,
      ranks: 2,
    },
    models: { resnet: model(step * scale), plain: model(-step * scale) },
  };
}

function model(first: number): ModelTensors {
  const tensors = (add: number): Record<string, FloatTensor> =>
    Object.fromEntries(
      Object.entries(SHAPES).map(([name, shape]) => [
        name,
        { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => first + at / 8 + add) },
      ]),
    );
  return { values: tensors(0), velocities: tensors(0.5) };
}
