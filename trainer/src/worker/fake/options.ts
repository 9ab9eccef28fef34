// How a run is told to train on fake devices: a JSON text in the environment, of interest to tests alone.
import { SIDES } from '@trainer/protocol';
import { z } from 'zod';
import { usageError } from '../../errors.js';

const VARIABLE = 'TRAINER_FAKE_DEVICE';

const FaultPlace = z.strictObject({
  rank: z.int().nonnegative(),
  /** Nothing is waited for in `place` and `snapshot`, which therefore cannot `freeze-js`. */
  phase: z.enum(['gradients', 'apply', 'evaluate', 'place', 'snapshot']),
  /**
   * From this step of a model on, once; 1 is the first since its weights were placed. What is no step counts as part of the
   * last one, or as 0.
   */
  step: z.int().nonnegative(),
  /** Of one model alone; default the first that comes there. */
  side: z.enum(SIDES).optional(),
  /** A file that is made when it happens; where it is there already, it does not: so a restarted run gets past. */
  once: z.string().optional(),
});

/** A fault of a fake device: where, and what. */
const Fault = z.discriminatedUnion('do', [
  /** Throws an error that says so. */
  FaultPlace.extend({ do: z.literal('throw') }),
  /** A weight becomes NaN; in `gradients` a gradient and the loss, in `evaluate` the loss. */
  FaultPlace.extend({ do: z.literal('nan') }),
  /** As `nan`, but 1 more than it was: on this rank alone, unless before the exchange. */
  FaultPlace.extend({ do: z.literal('corrupt') }),
  /** A promise that never settles. */
  FaultPlace.extend({ do: z.literal('freeze-js') }),
  /** The thread stops for ever: no timer and no message gets through. It can still be ended. */
  FaultPlace.extend({ do: z.literal('freeze-thread') }),
  /** The same inside a call of the system, so that only the end of the process ends it: as a hung driver would. */
  FaultPlace.extend({ do: z.literal('freeze-native') }),
  /** `process.exit(7)`: ends the thread, or the process where that is its main one. */
  FaultPlace.extend({ do: z.literal('exit') }),
  /** SIGKILL to the own process. */
  FaultPlace.extend({ do: z.literal('kill') }),
  FaultPlace.extend({ do: z.literal('slow'), ms: z.number().nonnegative() }),
]);

/** Plain values, so that they cross between processes and threads. */
const FakeDeviceSchema = z.strictObject({
  /** Decides the lengths of steps, together with the rank. */
  seed: z.int().nonnegative().default(0),
  /** Shortest and longest time of a model's step, in milliseconds. */
  stepMs: z.tuple([z.number().nonnegative(), z.number().nonnegative()]).default([0, 0]),
  /** Steps take their longest time and compute nothing at all: for benchmarks of what surrounds a device. */
  idle: z.boolean().optional(),
  faults: z.array(Fault).default([]),
});

export type FakeFault = z.infer<typeof Fault>;
export type FakePhase = FakeFault['phase'];
export type FakeDeviceOptions = z.input<typeof FakeDeviceSchema>;

/** What the environment asks for, if anything. @throws TrainerError (usage) where it cannot be read */
export function fakeDeviceOf(env: NodeJS.ProcessEnv): FakeDeviceOptions | undefined {
  const text = env[VARIABLE];
  if (text === undefined || text === '') return undefined;
  try {
    return FakeDeviceSchema.parse(JSON.parse(text));
  } catch (error) {
    throw usageError(`${VARIABLE} is no description of a fake device: ${describe(error)}`, {
      cause: error,
    });
  }
}

const describe = (error: unknown): string =>
  error instanceof z.ZodError ? z.prettifyError(error).replaceAll('\n', ' ') : (error as Error).message;
