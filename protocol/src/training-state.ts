// Where training stood when a checkpoint was written: with the weights and velocities, all that an exact resume needs.
import { z } from 'zod';
import { SIDES } from './run.js';

/** Sums over the steps of the epoch so far, from which its means are taken. */
const RunningSumsSchema = z.strictObject({ loss: z.number(), correct: z.number(), examples: z.int() });

const SideStateSchema = z.strictObject({
  sums: RunningSumsSchema,
  /** Latest measured, in percent; null before. */
  trainError: z.number().nullable(),
  valAccuracy: z.number().nullable(),
  testAccuracy: z.number().nullable(),
  bestEpoch: z.int().nullable(),
  bestValAccuracy: z.number().nullable(),
  /** Seconds spent in this model's own steps, and images trained in them. */
  stepSeconds: z.number(),
  images: z.int(),
});

/** state.json of a checkpoint. `step` counts completed steps, `epoch` is the 1-based epoch that the next step belongs to. */
export const TrainingStateSchema = z.strictObject({
  version: z.literal(1),
  step: z.int().nonnegative(),
  epoch: z.int().positive(),
  stepInEpoch: z.int().nonnegative(),
  /** Seconds of the run so far, over all its parts. */
  seconds: z.number().nonnegative(),
  /** The dataset's hash: another dataset cannot continue the run. */
  dataHash: z.string(),
  models: z.partialRecord(z.enum(SIDES), SideStateSchema),
  /** What the schedule's learning rate is multiplied by, as changed while training. */
  lrFactor: z.number().positive().default(1),
  /** Ranks that the batches were spread over. */
  ranks: z.int().positive().default(1),
});
export type TrainingState = z.infer<typeof TrainingStateSchema>;
export type SideState = z.infer<typeof SideStateSchema>;
