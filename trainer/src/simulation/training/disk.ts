// The disk of a simulated machine. What is on it outlives every coordinator; what one was writing when it died never appears.
import { crc32 } from 'node:zlib';
import type { MetricRecord, RunConfig, RunSummary } from '@trainer/protocol';
import type { Surroundings } from '../../coordinator/surroundings.js';
import { EXIT, TrainerError } from '../../errors.js';
import type { RandomStream } from '../../random.js';
import type { Checkpoint, CheckpointWriter, ModelTensors, ResumableRun } from '../../report/contract.js';
import { SerialQueue } from '../../report/serial-queue.js';
import type { Clock } from '../../time.js';
import type { Trace } from '../trace.js';
import type { Bug } from './bugs.js';

/** A checkpoint or commit that is whole. */
export interface Save {
  readonly kind: 'checkpoint' | 'commit';
  readonly path: string;
  readonly checkpoint: Checkpoint;
  readonly best: boolean;
}

export interface RunOnDisk {
  readonly path: string;
  config: RunConfig;
  metrics: MetricRecord[];
  summary: RunSummary | undefined;
  saves: Save[];
}

export interface DiskOptions {
  readonly random: RandomStream;
  readonly trace: Trace;
  /** Shortest and longest time of any one thing. */
  readonly ms: readonly [number, number];
  readonly bug?: Bug | undefined;
}

type Stores = Pick<Surroundings, 'findResumable' | 'openCheckpoints' | 'openCommits'>;

const COMMITS_KEPT = 2;
/** Parts in which a save is written. */
const PARTS = 3;

export class SimulatedDisk {
  readonly runs = new Map<string, RunOnDisk>();
  /** Of all saves that ever were whole: steps, and where training went on. */
  readonly wholeSteps = new Set<number>();
  readonly #options: DiskOptions;

  constructor(options: DiskOptions) {
    this.#options = options;
  }

  /** By the clock of whoever waits: one that is dead waits for ever. */
  busy(clock: Clock, share = 1): Promise<void> {
    const { random, ms } = this.#options;
    const [shortest, longest] = ms;
    const wait = share * (shortest + random.uniform() ** 2 * (longest - shortest));
    return new Promise((resolve) => clock.later(resolve, wait));
  }

  /** The newest step from which training could go on; undefined where there is none. */
  newestStep(path: string): number | undefined {
    return newest(this.runs.get(path)?.saves ?? [])?.checkpoint.state.step;
  }

  /** What a process does with the saves, by its clock. */
  stores(clock: Clock): Stores {
    return {
      findResumable: async (_, path) => {
        await this.busy(clock);
        return this.#find(path);
      },
      openCheckpoints: async ({ runPath, keep }) => this.#writer(runPath, { clock, kind: 'checkpoint', keep }),
      openCommits: async ({ runPath }) => {
        const commits = this.#writer(runPath, { clock, kind: 'commit', keep: COMMITS_KEPT });
        return { save: (checkpoint) => commits.save(checkpoint, { best: false }) };
      },
    };
  }

  #find(path: string): ResumableRun {
    const run = this.runs.get(path)!;
    const save = this.#options.bug === 'old commit chosen' ? run.saves[0] : newest(run.saves);
    if (!save) throw new TrainerError(`${path} has no checkpoint to go on from: start the run again`, EXIT.noMatch);
    return { path, config: run.config, checkpoint: copyOf(save.checkpoint), checkpointPath: save.path };
  }

  #writer(path: string, { clock, kind, keep }: { clock: Clock; kind: Save['kind']; keep: number }): CheckpointWriter {
    const queue = new SerialQueue();
    const run = this.runs.get(path)!;
    return {
      save: (checkpoint, { best }) => {
        const saved = queue.run(() => this.#write(run, { clock, kind, checkpoint, best }));
        const place = placeOf(path, kind, checkpoint);
        void saved.then(() => this.#tidy(run, kind, keep));
        return this.#options.bug === 'memory overwritten' ? Promise.resolve(place) : saved.then(() => place);
      },
    };
  }

  /** Part by part, from memory that is not to change meanwhile. */
  async #write(run: RunOnDisk, { clock, ...save }: { clock: Clock } & Omit<Save, 'path'>): Promise<void> {
    const { bug, trace } = this.#options;
    const { step } = save.checkpoint.state;
    const path = placeOf(run.path, save.kind, save.checkpoint);
    const copy = emptyCopyOf(save.checkpoint);
    const whole: Save = { ...save, path, checkpoint: copy };
    const appear = (): void => {
      run.saves = [...run.saves.filter((other) => other.path !== path), whole];
    };
    if (bug === 'torn commit shown') appear();
    for (let part = 0; part < PARTS; part++) {
      await this.busy(clock, 1 / PARTS);
      copyPart(save.checkpoint, copy, part);
    }
    appear();
    this.wholeSteps.add(step);
    trace.add(`${path} is whole`);
  }

  #tidy(run: RunOnDisk, kind: Save['kind'], keep: number): void {
    const own = run.saves.filter((save) => save.kind === kind);
    const kept = new Set([...byAge(own).slice(0, keep), byAge(own.filter(({ best }) => best))[0]]);
    run.saves = run.saves.filter((save) => save.kind !== kind || kept.has(save));
  }
}

/** Of weights and velocities of all models. */
export function checksum({ models }: Pick<Checkpoint, 'models'>): number {
  let sum = 0;
  for (const { data } of Object.values(models).flatMap((model) => tensorsOf(model)))
    sum = crc32(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), sum);
  return sum;
}

const tensorsOf = ({ values, velocities }: ModelTensors) => [...Object.values(values), ...Object.values(velocities)];
const placeOf = (run: string, kind: Save['kind'], { state }: Checkpoint): string => `${run}/${kind}s/${state.step}`;
const stepOf = ({ checkpoint }: Save): number => checkpoint.state.step;
/** Newest first; at one step the checkpoint before the commit. */
const byAge = (saves: readonly Save[]): Save[] =>
  [...saves].sort((a, b) => stepOf(b) - stepOf(a) || a.kind.localeCompare(b.kind));
const newest = (saves: readonly Save[]): Save | undefined => byAge(saves)[0];

type Copy = (data: Float32Array) => Float32Array;

function mapped({ state, models }: Checkpoint, copy: Copy): Checkpoint {
  const record = (tensors: ModelTensors['values']): ModelTensors['values'] =>
    Object.fromEntries(Object.entries(tensors).map(([name, { shape, data }]) => [name, { shape, data: copy(data) }]));
  const model = ({ values, velocities }: ModelTensors): ModelTensors => ({
    values: record(values),
    velocities: record(velocities),
  });
  return { state, models: Object.fromEntries(Object.entries(models).map(([side, tensors]) => [side, model(tensors)])) };
}

const copyOf = (checkpoint: Checkpoint): Checkpoint => mapped(checkpoint, (data) => Float32Array.from(data));
const emptyCopyOf = (checkpoint: Checkpoint): Checkpoint => mapped(checkpoint, (data) => new Float32Array(data.length));

function copyPart(from: Checkpoint, to: Checkpoint, part: number): void {
  const sources = Object.values(from.models).flatMap(tensorsOf);
  Object.values(to.models)
    .flatMap(tensorsOf)
    .forEach(({ data }, i) => {
      if (i % PARTS === part) data.set(sources[i]!.data);
    });
}
