// What training tells as it goes: events in order, for the terminal, the run folder and viewers.
import { z } from 'zod';
import { SIDES } from './run.js';

/** Where training stands. `step` counts completed steps of the whole run, `epoch` is 1-based. */
export const PositionSchema = z.strictObject({
  epoch: z.int(),
  epochs: z.int(),
  step: z.int(),
  steps: z.int(),
  /** 1-based step within the epoch, and how many it has. */
  stepInEpoch: z.int(),
  stepsPerEpoch: z.int(),
});
export type Position = z.infer<typeof PositionSchema>;

const SideProgressSchema = z.strictObject({
  /** Means over the epoch so far. */
  loss: z.number(),
  /** Percent. */
  accuracy: z.number(),
  /** Latest validation accuracy in percent; absent before the first validation or without a validation split. */
  valAccuracy: z.number().exactOptional(),
  testAccuracy: z.number().exactOptional(),
});
export type SideProgress = z.infer<typeof SideProgressSchema>;

const side = z.enum(SIDES);
const sides = z.partialRecord(side, SideProgressSchema);

/** Seconds or rates may be infinite or not a number before there is anything to divide by. */
const measured = z.custom<number>((value) => typeof value === 'number');

export const TrainingEventSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready'), position: PositionSchema, sides: z.array(side), ranks: z.int() }),
  /** After each step of all sides. Must cost nothing: the listener decides how often it draws. */
  z.strictObject({
    type: z.literal('step'),
    position: PositionSchema,
    sides,
    imagesPerSec: measured,
    etaSeconds: measured,
  }),
  z.strictObject({
    type: z.literal('phase'),
    phase: z.enum(['training', 'validation', 'checkpoint', 'paused']),
    position: PositionSchema,
  }),
  z.strictObject({
    type: z.literal('epoch'),
    position: PositionSchema,
    sides,
    seconds: measured,
    etaSeconds: measured,
    imagesPerSec: measured,
  }),
  z.strictObject({ type: z.literal('checkpoint'), position: PositionSchema, path: z.string(), best: z.boolean() }),
  /** A file to begin anew from after a crash. */
  z.strictObject({ type: z.literal('commit'), position: PositionSchema, path: z.string() }),
]);
export type TrainingEvent = z.infer<typeof TrainingEventSchema>;
export type OnEvent = (event: TrainingEvent) => void;
