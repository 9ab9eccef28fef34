// What supervisor and coordinator say to each other. The supervisor decides what is to be done and owns the run's files; the
// coordinator trains, asks for files, and tells how it goes. Requests are answered under their id; everything else is one way.
import { z } from 'zod';
import { TrainingEventSchema } from './events.js';
import type { MetricName, MetricRecord } from './metrics.js';
import { type RunConfig, RunConfigSchema, RunSummarySchema, SIDES } from './run.js';

/** An exit code comes with what the user can mend. */
const failure = z.strictObject({ message: z.string(), exitCode: z.int().exactOptional() });

const reply = <T extends z.ZodType>(body: T) => z.strictObject({ type: z.literal('reply'), id: z.int(), body });
const failed = z.strictObject({ type: z.literal('failure'), id: z.int(), error: failure });
const request = <T extends z.ZodType>(body: T) => z.strictObject({ type: z.literal('request'), id: z.int(), body });

/** What changes the course of a run. The same id twice is one control; it takes effect between two steps, on all ranks. */
export const ControlSchema = z.strictObject({
  control: z.string().min(1),
  action: z.enum(['pause', 'resume', 'stop', 'checkpoint', 'lr']),
  /** Of `lr`: what the schedule's learning rate is multiplied by from now on. */
  factor: z.number().positive().exactOptional(),
  /** Takes effect after this completed step and not before: how a control is repeated after a restart. */
  atStep: z.int().nonnegative().exactOptional(),
});
export type Control = z.infer<typeof ControlSchema>;

/** The completed step after which a control took effect. */
const ControlReplySchema = z.strictObject({ step: z.int() });
export type ControlReply = z.infer<typeof ControlReplySchema>;

const partialConfig = z.custom<Partial<RunConfig>>((value) => typeof value === 'object' && value !== null);

export const StartSchema = z.strictObject({
  /** `trainer start` as asked: what of the configuration was said, and by whom. */
  config: partialConfig,
  origins: z.record(z.string(), z.string()),
  run: z.strictObject({
    seeds: z.int().positive(),
    out: z.string(),
    name: z.string().nullable(),
    tags: z.array(z.string()),
    notes: z.string().nullable(),
    resume: z.string().nullable(),
    dryRun: z.boolean(),
    fastDevRun: z.boolean(),
    deadline: z.number().nullable(),
    commitEvery: z.number(),
  }),
  commandLine: z.array(z.string()),
  /** Seeds that are done already. */
  firstSeed: z.int().nonnegative(),
  /** The run that a coordinator before this one left. */
  restart: z.strictObject({ path: z.string() }).nullable(),
  /** Controls that took effect in that run, each with its step. */
  replay: z.array(ControlSchema),
});
export type Start = z.infer<typeof StartSchema>;

export const ToCoordinatorSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('start'), start: StartSchema }),
  request(ControlSchema),
  /** `path` of a run that was opened; null of everything else. */
  reply(z.strictObject({ path: z.string() }).nullable()),
  failed,
]);
export type ToCoordinator = z.infer<typeof ToCoordinatorSchema>;

const MetadataSchema = z.strictObject({
  commandLine: z.array(z.string()),
  engine: z.string(),
  library: z.string(),
  devices: z.array(z.string()),
  seeds: z.array(z.int()),
  dataset: z.strictObject({ name: z.string(), origin: z.string(), hash: z.string() }),
  initHash: z.record(z.string(), z.string()),
  tags: z.array(z.string()),
  notes: z.string(),
});

/** How a run ended. */
export const FinishedRunSchema = z.strictObject({
  status: z.enum(['finished', 'interrupted', 'diverged']),
  /** Why before its last step, for people. */
  reason: z.string().nullable(),
  summary: RunSummarySchema,
  config: RunConfigSchema,
  /** Steps that the whole run has. */
  steps: z.int(),
  /** The run folder. */
  path: z.string(),
  /** The newest checkpoint, if one was written. */
  checkpointPath: z.string().nullable(),
});
export type FinishedRun = z.infer<typeof FinishedRunSchema>;

/** What the coordinator asks of the supervisor, who owns the run's files. */
export const FileRequestSchema = z.discriminatedUnion('what', [
  z.strictObject({
    what: z.literal('create'),
    name: z.string().nullable(),
    config: RunConfigSchema,
    metadata: MetadataSchema,
  }),
  /** Goes on with a run after `step`; what its files say of later steps is dropped. */
  z.strictObject({ what: z.literal('reopen'), path: z.string(), config: RunConfigSchema, step: z.int() }),
  /** Replied to once everything recorded before is in the files, where the end of a process leaves it. */
  z.strictObject({ what: z.literal('flush') }),
  /** As `flush`, and on the disk, where a loss of power leaves it. */
  z.strictObject({ what: z.literal('sync') }),
  z.strictObject({ what: z.literal('summarize'), summary: RunSummarySchema }),
  /** The run ended. */
  z.strictObject({ what: z.literal('finish'), run: FinishedRunSchema }),
]);
export type FileRequest = z.infer<typeof FileRequestSchema>;

/** A record as the loop made it: its numbers may be infinite or none, and stay so. */
const MetricRecordSchema = z.custom<MetricRecord & { readonly name: MetricName }>(
  (value) => typeof value === 'object' && value !== null && 'name' in value && 'value' in value,
);

const ProgressSchema = z.strictObject({
  what: z.string(),
  done: z.number(),
  total: z.number().exactOptional(),
  unit: z.enum(['bytes', 'images']),
});

/** What a model costs: what makes the comparison fair, or not. */
export const ModelCostSchema = z.strictObject({
  side: z.enum(SIDES),
  /** For people: 'ResNet-20'. */
  title: z.string(),
  parameters: z.int(),
  /** Floating-point operations of one image forward; a multiply-add counts 2. */
  flops: z.number(),
  /** Convolutions and dense layers, without the projections in shortcuts. */
  layers: z.int(),
  projections: z.int(),
});
export type ModelCost = z.infer<typeof ModelCostSchema>;

export const ToSupervisorSchema = z.discriminatedUnion('type', [
  request(FileRequestSchema),
  reply(ControlReplySchema),
  failed,
  z.strictObject({ type: z.literal('alive') }),
  z.strictObject({ type: z.literal('notice'), line: z.string() }),
  z.strictObject({ type: z.literal('progress'), progress: ProgressSchema }),
  z.strictObject({ type: z.literal('event'), event: TrainingEventSchema }),
  z.strictObject({ type: z.literal('metrics'), records: z.array(MetricRecordSchema) }),
  z.strictObject({ type: z.literal('rank-log'), rank: z.int(), line: z.string() }),
  z.strictObject({ type: z.literal('models'), models: z.array(ModelCostSchema) }),
  /** Results for stdout. */
  z.strictObject({ type: z.literal('print'), text: z.string() }),
  /** Everything asked for was done. */
  z.strictObject({ type: z.literal('done') }),
  /** With an exit code: for the user to mend. Without: training may be begun anew. */
  z.strictObject({
    type: z.literal('failed'),
    message: z.string(),
    exitCode: z.int().nullable(),
    stack: z.string().nullable(),
  }),
]);
export type ToSupervisor = z.infer<typeof ToSupervisorSchema>;
