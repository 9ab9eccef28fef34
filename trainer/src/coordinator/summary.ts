// summary.json out of where training stands.
import type { ModelSummary, RunConfig, RunSummary, SideState, TrainingState } from '@trainer/protocol';
import type { Model } from '../nn/contract.js';
import { totals } from '../nn/cost.js';
import { difference } from './records.js';

interface SummaryOptions {
  readonly state: TrainingState;
  readonly status: RunSummary['status'];
  readonly config: RunConfig;
  readonly models: readonly Model[];
  readonly stepsPerEpoch: number;
  readonly engine: string;
  readonly dataset: string;
}

export function summarize({ state, status, config, models, stepsPerEpoch, engine, dataset }: SummaryOptions): RunSummary {
  const { resnet, plain } = state.models;
  const of = (key: 'trainError' | 'valAccuracy' | 'testAccuracy'): [number | null, number | null] => [
    resnet?.[key] ?? null,
    plain?.[key] ?? null,
  ];
  const [residualError, plainError] = of('trainError');
  return {
    status,
    preset: config.preset,
    models: Object.fromEntries(models.map((model) => [model.side, modelSummary(model, state.models[model.side])])),
    gap: {
      train_error: difference(plainError, residualError),
      val_accuracy: difference(...of('valAccuracy')),
      test_accuracy: difference(...of('testAccuracy')),
    },
    epochs: state.step / stepsPerEpoch,
    steps: state.step,
    seconds: state.seconds,
    engine,
    dataset,
  };
}

function modelSummary({ layers }: Model, state: SideState | undefined): ModelSummary {
  return {
    train_error: state?.trainError ?? null,
    val_accuracy: state?.valAccuracy ?? null,
    test_accuracy: state?.testAccuracy ?? null,
    best_epoch: state?.bestEpoch ?? null,
    ...totals(layers),
    images_per_sec: state && state.stepSeconds > 0 ? state.images / state.stepSeconds : null,
  };
}
