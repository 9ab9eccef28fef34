// A whole machine on simulated time: the real supervisor, coordinators and ranks, an operator, viewers, and all that goes wrong;
// and what must hold whatever does.
import type { Control, FinishedRun, Side, TrainingEvent } from '@trainer/protocol';
import { EXIT, TrainerError } from '../../errors.js';
import type { RandomStream } from '../../random.js';
import { FolderRunStore } from '../../supervisor/run-store.js';
import { Supervisor } from '../../supervisor/supervisor.js';
import type { Clock } from '../../time.js';
import type { StepRequest } from '../../worker/rank-protocol.js';
import { type ChannelFaults, SOCKET } from '../channels.js';
import type { Scenario, Simulation } from '../simulate.js';
import type { Bug } from './bugs.js';
import { CoordinatorProcess } from './coordinator-process.js';
import { SimulatedDisk } from './disk.js';
import { configOf } from './images.js';
import { Operator } from './operator.js';
import { withoutLong } from './ranks.js';
import { simulatedFolders } from './run-folders.js';
import { slowOf, type Trouble, troubleOf } from './troubles.js';
import { checkRun } from './verdict.js';
import { Hub, Viewer } from './viewers.js';

/** What differs between machines and what is asked of them. */
interface Setting {
  readonly ranks: number;
  readonly sides: readonly Side[];
  readonly maxRestarts: number;
  /** Seconds. */
  readonly commitEvery: number;
  readonly deadline: number | null;
  readonly diskMs: readonly [number, number];
  readonly stepMs: readonly [number, number];
  /** Of the lines between processes and threads. */
  readonly line: ChannelFaults;
}

const SIDES: readonly (readonly Side[])[] = [['resnet'], ['resnet'], ['plain'], ['resnet', 'plain']];
const DISKS = [
  [1, 50],
  [5, 500],
  [500, 8000],
] as const;

/** Much of what is said comes late, so that much is under way when someone dies. */
const BUSY_SOCKET: ChannelFaults = { ...SOCKET, slow: { probability: 0.2, ms: 200 } };

const drawSetting = (random: RandomStream): Setting => ({
  ranks: 1 + random.below(3),
  sides: SIDES[random.below(SIDES.length)]!,
  maxRestarts: random.below(5),
  commitEvery: random.uniform() * 0.6,
  deadline: random.below(3) === 0 ? null : 15 + random.below(10),
  diskMs: DISKS[random.below(DISKS.length)]!,
  stepMs: random.below(2) === 0 ? [5, 50] : [20, 200],
  line: random.below(3) === 0 ? BUSY_SOCKET : SOCKET,
});

/** How a run ended. */
export type End =
  | { readonly type: 'done'; readonly finished: readonly FinishedRun[] }
  | { readonly type: 'used up'; readonly message: string };

/** Everything that happened in a run, for the verdict. */
export interface Course {
  readonly setting: Setting;
  readonly disk: SimulatedDisk;
  readonly processes: readonly CoordinatorProcess[];
  readonly operator: Operator;
  readonly hub: Hub;
  /** Told by the supervisor: failures that were followed by a restart, and the one while it was to stop. */
  readonly warnings: readonly string[];
  readonly end: End;
}

/** About as long as a run takes, by the disk on which it is saved several times. */
const USUAL_RUN_MS = 4000;
const SAVES = 4;

export const RUN_LIMIT_MS = 2 * 3_600_000;
const DRAIN_MS = 10_000;
const CATCH_UP_MS = 2 * 60_000;

/** @param bug to be found */
export const training =
  (bug?: Bug): Scenario =>
  async (simulation) => {
    const course = await new Machine(simulation, bug).run();
    await checkRun(simulation, course);
  };

class Machine {
  readonly #simulation: Simulation;
  readonly #bug: Bug | undefined;
  readonly #setting: Setting;
  readonly #disk: SimulatedDisk;
  readonly #hub: Hub;
  readonly #processes: CoordinatorProcess[] = [];
  #operator: Operator | undefined;
  #startedAt = 0;
  /** What the coordinator that was started last can go on from. */
  #saved: { readonly path: string; readonly step: number } | undefined;
  readonly #warnings: string[] = [];
  /** By coordinator and step, what its first rank was asked. */
  readonly #asked = new Map<string, StepRequest>();

  constructor(simulation: Simulation, bug: Bug | undefined) {
    const { random, trace } = simulation;
    this.#simulation = simulation;
    this.#bug = bug;
    this.#setting = drawSetting(random('setting'));
    trace.add(`setting: ${JSON.stringify(this.#setting)}`);
    this.#disk = new SimulatedDisk({ random: random('disk'), trace, ms: this.#setting.diskMs, bug });
    this.#hub = new Hub(simulation, bug);
  }

  async run(): Promise<Course> {
    const simulation = this.#simulation;
    const supervisor = this.#supervisor();
    const operator = new Operator(simulation, (control: Control) => supervisor.control(control));
    this.#operator = operator;
    const viewers = ['viewer 1', 'viewer 2'].map((name) => new Viewer(simulation, this.#hub, name));
    const end = await endOf(supervisor);
    simulation.trace.add(`ended: ${JSON.stringify(end)}`);
    await this.#dismiss(viewers, operator);
    const { clock } = simulation;
    await sleep(clock, DRAIN_MS);
    simulation.check(clock.pending === 0, `${clock.pending} timers or messages are left`);
    return {
      ...{ setting: this.#setting, disk: this.#disk, processes: this.#processes, hub: this.#hub, warnings: this.#warnings },
      ...{ operator, end },
    };
  }

  #supervisor(): Supervisor {
    const { clock } = this.#simulation;
    const { ranks, sides, maxRestarts, commitEvery, deadline } = this.#setting;
    return new Supervisor({
      start: {
        config: configOf(sides, ranks),
        origins: {},
        run: {
          ...{ seeds: 1, out: '/runs', name: null, tags: [], notes: null, resume: null, dryRun: false, fastDevRun: false },
          ...{ deadline, commitEvery },
        },
        commandLine: [],
      },
      launch: () => this.#launch(),
      store: new FolderRunStore({
        out: '/runs',
        onLine: () => () => undefined,
        folders: simulatedFolders({ disk: this.#disk, clock, bug: this.#bug }),
      }),
      listener: {
        notice: (line) => this.#simulation.trace.add(`notice: ${line}`),
        warn: (line) => {
          this.#simulation.trace.add(`warning: ${line}`);
          this.#warnings.push(line);
        },
        onProgress: () => undefined,
        onEvent: (event) => this.#hear(event),
        onMetrics: () => undefined,
        onModels: () => undefined,
        print: () => undefined,
      },
      clock: this.#bug === 'silence watchdog off' ? withoutLong(clock, 30_000) : clock,
      maxRestarts: maxRestarts + (this.#bug === 'restarts miscounted' ? 1 : 0),
    });
  }

  #launch(): CoordinatorProcess {
    const simulation = this.#simulation;
    const { ranks, stepMs, diskMs, line } = this.#setting;
    const number = this.#processes.length;
    this.#startedAt = simulation.clock.now();
    this.#operator?.onStart();
    const [path] = this.#disk.runs.keys();
    this.#saved = path === undefined ? undefined : { path, step: this.#disk.newestStep(path) ?? 0 };
    const random = simulation.random('coordinator', number);
    const trouble = troubleOf(random, { ranks, runMs: USUAL_RUN_MS + SAVES * diskMs[1] });
    simulation.trace.add(`coordinator ${number} starts: ${JSON.stringify(trouble ?? 'no trouble')}`);
    const process = new CoordinatorProcess({
      ...{ simulation, number, ranks, trouble, bug: this.#bug, disk: this.#disk, faults: line },
      device: { stepMs: [...stepMs], seed: number, faults: [...slowOf(random, ranks), ...faultsOf(trouble)] },
      onStep: (rank, request) => this.#watchStep(number, rank, request),
    });
    this.#processes.push(process);
    return process;
  }

  #hear(event: TrainingEvent): void {
    if (event.type === 'ready') {
      const { step } = event.position;
      const newest = this.#saved && this.#disk.runs.has(this.#saved.path) ? this.#saved.step : 0;
      this.#simulation.check(step === newest, `training goes on from step ${step}, not ${newest}`);
    }
    if (event.type === 'step') this.#operator?.onStep(event.position.step, this.#simulation.clock.now() - this.#startedAt);
    this.#hub.tell(event);
  }

  /** All ranks are asked for the same steps at the same rates. */
  #watchStep(coordinator: number, rank: number, request: StepRequest): void {
    const key = `${coordinator} ${request.step}`;
    const first = this.#asked.get(key) ?? request;
    this.#asked.set(key, first);
    this.#simulation.check(first.lr === request.lr, `rank ${rank} takes step ${request.step} at another rate`);
  }

  async #dismiss(viewers: readonly Viewer[], operator: Operator): Promise<void> {
    const { clock, check } = this.#simulation;
    const until = clock.now() + CATCH_UP_MS;
    while (!viewers.every((viewer) => viewer.isUpToDate)) {
      check(clock.now() < until, 'viewers catch up');
      await sleep(clock, 500);
    }
    for (const viewer of viewers) check(viewer.steps.join() === this.#hub.steps.join(), 'viewers have seen each step once');
    for (const viewer of viewers) viewer.leave();
    operator.leave();
  }
}

const faultsOf = (trouble: Trouble | undefined) => (trouble?.what === 'device' ? [trouble.fault] : []);

async function endOf(supervisor: Supervisor): Promise<End> {
  try {
    return { type: 'done', finished: await supervisor.run() };
  } catch (error) {
    if (error instanceof TrainerError && error.exitCode === EXIT.tryAgain) return { type: 'used up', message: error.message };
    throw error;
  }
}

const sleep = (clock: Clock, ms: number): Promise<void> => new Promise((resolve) => clock.later(resolve, ms));
