// A supervisor in this process with real coordinator processes: what it hears is kept with the time at which it did.
import { join } from 'node:path';
import type { Control, ControlReply, TrainingEvent } from '@trainer/protocol';
import type { Coordinator } from '../../trainer/dist/supervisor/contract.js';
import { launchCoordinator } from '../../trainer/dist/supervisor/launch.js';
import { FolderRunStore } from '../../trainer/dist/supervisor/run-store.js';
import { Supervisor } from '../../trainer/dist/supervisor/supervisor.js';
import { systemClock } from '../../trainer/dist/time.js';
import { type FakeRuns, type Fault, TINY_CONFIG } from './fake-runs.js';

export interface Heard {
  readonly event: TrainingEvent;
  /** By the clock of `Date.now()`. */
  readonly at: number;
}

export interface SupervisedOptions {
  readonly runs: FakeRuns;
  readonly out: string;
  readonly faults?: readonly Fault[];
  readonly stepMs?: readonly [number, number];
  /** Seconds. */
  readonly deadline?: number;
  readonly commitEvery?: number;
  readonly maxRestarts?: number;
  readonly onEvent?: (event: TrainingEvent, hand: Hand) => void;
}

/** What a test does to a run under way. */
export interface Hand {
  control(control: Control): Promise<ControlReply>;
  /** SIGKILL to the coordinator. */
  killCoordinator(): void;
}

export interface Supervised {
  readonly heard: readonly Heard[];
  readonly warnings: readonly string[];
  readonly notices: readonly string[];
  /** What the run ended with, if with an error. */
  readonly error: unknown;
}

/** Resolves once the run has ended, whatever it ended by. */
export async function supervise(options: SupervisedOptions): Promise<Supervised> {
  const { runs, out, faults, stepMs, deadline = 60, commitEvery = 0.1, maxRestarts = 3, onEvent } = options;
  const heard: Heard[] = [];
  const warnings: string[] = [];
  const notices: string[] = [];
  const folder = join(runs.path, out);
  let coordinator: Coordinator | undefined;
  const supervisor = new Supervisor({
    start: {
      config: { ...TINY_CONFIG, data: runs.images },
      origins: {},
      run: { ...RUN, out: folder, deadline, commitEvery },
      commandLine: [],
    },
    launch: () => {
      coordinator = launchCoordinator({ ...process.env, ...runs.env(faults, stepMs) }, 2);
      return coordinator;
    },
    store: new FolderRunStore({ out: folder, onLine: () => () => undefined }),
    listener: {
      notice: (line) => void notices.push(line),
      warn: (line) => void warnings.push(line),
      onProgress: () => undefined,
      onEvent: (event) => {
        heard.push({ event, at: Date.now() });
        onEvent?.(event, hand);
      },
      onMetrics: () => undefined,
      onModels: () => undefined,
      print: () => undefined,
    },
    clock: systemClock,
    maxRestarts,
  });
  const hand: Hand = {
    control: (control) => supervisor.control(control),
    killCoordinator: () => coordinator?.kill(),
  };
  const error = await supervisor.run().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { heard, warnings, notices, error };
}

const RUN = { seeds: 1, name: null, tags: [], notes: null, resume: null, dryRun: false, fastDevRun: false };
