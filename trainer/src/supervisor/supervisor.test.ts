import type { FileRequest, FinishedRun, Position, Start, ToCoordinator, ToSupervisor } from '@trainer/protocol';
import { describe, expect, it } from 'vitest';
import { answerRequests, Requests } from '../link/requests.js';
import { randomStream } from '../random.js';
import { testConfig } from '../report/test-config.js';
import { type SimulatedPair, simulatedChannelPair } from '../simulation/channels.js';
import { SimulatedClock } from '../simulation/clock.js';
import { Trace } from '../simulation/trace.js';
import type { RunStore } from './contract.js';
import { Supervisor } from './supervisor.js';

const config = testConfig();
const at = (step: number): Position => ({ epoch: 1, epochs: 1, step, steps: 99, stepInEpoch: step, stepsPerEpoch: 99 });
const stepped = (step: number): ToSupervisor => ({
  type: 'event',
  event: { type: 'step', position: at(step), sides: {}, imagesPerSec: 1, etaSeconds: 1 },
});
const committed = (step: number): ToSupervisor => ({
  type: 'event',
  event: { type: 'commit', position: at(step), path: `run/commits/${step}` },
});
const CREATE = { what: 'create', name: null, config, metadata: {} } as unknown as FileRequest;
const finish = (seed: number): FileRequest => ({
  what: 'finish',
  run: { status: 'finished', config: { ...config, seed } } as FinishedRun,
});

/** A coordinator as a test plays it. */
class Played {
  readonly start: Start;
  readonly #pair: SimulatedPair<ToCoordinator, ToSupervisor>;
  readonly #files: Requests<FileRequest, unknown>;
  readonly #clock: SimulatedClock;
  readonly #exit: (how: string) => void;

  constructor(
    start: Start,
    pair: SimulatedPair<ToCoordinator, ToSupervisor>,
    clock: SimulatedClock,
    exit: (how: string) => void,
  ) {
    this.start = start;
    this.#pair = pair;
    this.#files = new Requests(pair.b as never, clock);
    this.#clock = clock;
    this.#exit = exit;
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.#clock.later(resolve, ms));
  }

  say(message: ToSupervisor): void {
    void this.#pair.b.send(message);
  }

  ask(request: FileRequest): Promise<unknown> {
    return this.#files.call(request, { deadlineMs: 1000 });
  }

  /** Ends as it should. */
  done(): void {
    this.say({ type: 'done' });
    this.#pair.b.close();
    this.#exit('ended with code 0');
  }

  /** Once what it said has arrived. */
  die(how = 'was killed by SIGSEGV'): void {
    this.#clock.later(() => {
      this.#pair.crash('b');
      this.#exit(how);
    }, 50);
  }
}

type Part = (coordinator: Played, heard: { readonly controls: string[] }) => void | Promise<void>;

interface Options {
  readonly maxRestarts?: number;
  readonly seeds?: number;
  readonly begin?: (supervisor: Supervisor) => void;
  readonly lastWords?: readonly string[];
}

/** The supervisor with coordinators that play these parts, one after the other. */
async function supervise(parts: readonly Part[], { maxRestarts = 3, seeds = 1, begin, lastWords = [] }: Options = {}) {
  const clock = new SimulatedClock();
  const trace = new Trace(clock);
  const said: string[] = [];
  const controls: string[] = [];
  const starts: Start[] = [];
  let launched = 0;
  const launch = () => {
    const number = launched++;
    const random = randomStream(1, 'line', String(number));
    const pair = simulatedChannelPair<ToCoordinator, ToSupervisor>({
      ...{ clock, trace, random, faults: { delayMs: [1, 1] as const }, names: ['supervisor', 'coordinator'] as const },
    });
    let exit = (_how: string): void => {};
    const exited = new Promise<string>((resolve) => {
      exit = resolve;
    });
    pair.b.onMessage((message) => {
      if (message.type !== 'start') return;
      starts.push(message.start);
      void parts[number]!(new Played(message.start, pair, clock, exit), { controls });
    });
    answerRequests(pair.b as never, ({ control }: { control: string }) => {
      controls.push(`${number} ${control}`);
      // The first coordinator does not come to some.
      return control.startsWith('late') && number === 0 ? new Promise<never>(() => {}) : { step: 3 };
    });
    const kill = (): void => {
      pair.crash('b');
      exit('was killed by SIGKILL');
    };
    return { channel: pair.a, exited, lastWords: () => lastWords, kill };
  };
  const store = memoryStore(said);
  const supervisor = new Supervisor({
    start: { config, origins: {}, run: { resume: null, seeds } as Start['run'], commandLine: [] },
    ...{ launch, store, clock, maxRestarts },
    listener: {
      notice: (line) => void said.push(`notice ${line}`),
      warn: (line) => void said.push(`warning: ${line}`),
      onProgress: () => undefined,
      onEvent: ({ type, position }) => void said.push(`${type} ${position.step}`),
      onMetrics: (records) => void said.push(`metrics ${records.length}`),
      onModels: () => undefined,
      print: (text) => void said.push(`print ${text}`),
    },
  });
  let result: readonly FinishedRun[] | Error | undefined;
  void supervisor.run().then(
    (finished) => (result = finished),
    (error: Error) => (result = error),
  );
  begin?.(supervisor);
  for (let i = 0; i < 2000 && result === undefined; i++) await clock.advance(100);
  return { result, said, starts, controls, launched, clock, store };
}

function memoryStore(said: string[]): RunStore {
  const finished: FinishedRun[] = [];
  const store: { -readonly [K in keyof RunStore]: RunStore[K] } = {
    path: undefined,
    finished,
    answer: async (request) => {
      said.push(request.what);
      if (request.what === 'create') store.path = 'run';
      if (request.what === 'finish') {
        store.path = undefined;
        finished.push(request.run);
      }
      return request.what === 'create' ? { path: 'run' } : null;
    },
    record: () => undefined,
    rankLog: (rank, line) => void said.push(`rank ${rank} ${line}`),
    note: () => undefined,
    discard: async () => {
      said.push('discard');
      store.path = undefined;
    },
    fail: async () => {
      if (store.path !== undefined) said.push('closed as failed');
    },
  };
  return store;
}

/** Saves after 2 steps, and ends in the middle of the sixth. */
const dies: Part = async (coordinator) => {
  if (!coordinator.start.restart) await coordinator.ask(CREATE);
  coordinator.say(committed(2));
  coordinator.say(stepped(5));
  coordinator.die();
};
const finishes: Part = async (coordinator) => {
  await coordinator.ask(finish(7));
  coordinator.done();
};

describe('the supervisor', () => {
  it('hands on what the coordinator says, and gives back the runs that ended', async () => {
    const { result, said, starts } = await supervise([
      async (coordinator) => {
        coordinator.say({ type: 'notice', line: 'hello' });
        await coordinator.ask(CREATE);
        coordinator.say(stepped(1));
        coordinator.say({ type: 'metrics', records: [] });
        coordinator.say({ type: 'rank-log', rank: 1, line: 'here' });
        coordinator.say({ type: 'print', text: 'results' });
        await coordinator.ask(finish(7));
        coordinator.done();
      },
    ]);
    expect(result).toMatchObject([{ status: 'finished' }]);
    expect(said).toEqual(['notice hello', 'create', 'step 1', 'metrics 0', 'rank 1 here', 'print results', 'finish']);
    expect(starts[0]).toMatchObject({ config, firstSeed: 0, restart: null, replay: [] });
  });

  it('begins anew from the newest save where a coordinator dies, and says what of', async () => {
    const { result, said, starts, launched } = await supervise([dies, finishes], { lastWords: ['a', 'core dumped'] });
    expect(result).toMatchObject([{ status: 'finished' }]);
    expect([launched, starts[1]!.restart]).toEqual([2, { path: 'run' }]);
    const [warning] = said.filter((line) => line.startsWith('warning'));
    expect(warning).toMatch(
      /^warning: training failed after step 5: the coordinator was killed by SIGSEGV.*; its last words: a \| core dumped; /,
    );
    expect(warning).toMatch(/it begins anew from the newest save \(restart 1 of 3\)$/);
  });

  it('ends with exit code 75 once its restarts are used up: each failure, what is saved, how to go on', async () => {
    const { result, said, launched } = await supervise([dies, dies], { maxRestarts: 1 });
    expect(launched).toBe(2);
    expect(result).toMatchObject({ name: 'TrainerError', exitCode: 75 });
    expect((result as Error).message).toMatch(
      /^training failed 2 times, and no restart is left .*: 1\. after step 5: .*SIGSEGV.*; 2\. after step 5: .*; all up to step 2 is saved in run\/commits\/2: .*trainer start --resume run$/,
    );
    expect(said.at(-1)).toBe('closed as failed');
  });

  it('throws at once what the user can mend', async () => {
    const fails: Part = (coordinator) => coordinator.say({ type: 'failed', message: 'no such data', exitCode: 2, stack: null });
    const { result, said, launched } = await supervise([fails]);
    expect(result).toMatchObject({ exitCode: 2, message: 'no such data' });
    expect([launched, said]).toEqual([1, []]);
  });

  it('removes a run that died before anything was saved, and begins from the beginning', async () => {
    const { result, said, starts } = await supervise([
      async (coordinator) => {
        await coordinator.ask(CREATE);
        coordinator.die('ended with code 7');
      },
      finishes,
    ]);
    expect(result).toHaveLength(1);
    expect(starts[1]!.restart).toBeNull();
    expect(said.slice(0, 3)).toEqual([
      'create',
      expect.stringMatching(/before the first step: .*code 7.* from the beginning/),
      'discard',
    ]);
  });

  it('ends a coordinator that says nothing for 30 s, and none that says that it is alive', async () => {
    const alive: Part = async (coordinator) => {
      for (let i = 0; i < 3; i++) {
        await coordinator.wait(25_000);
        coordinator.say({ type: 'alive' });
      }
    };
    const { said, clock, result } = await supervise([alive], { maxRestarts: 0 });
    expect(result).toMatchObject({ exitCode: 75, message: expect.stringContaining('the coordinator said nothing for 30 s') });
    expect(said).toEqual([]);
    expect(clock.now()).toBeGreaterThanOrEqual(75_000 + 30_000);
  });

  it('asks a coordinator started anew for the controls that wait, and tells it of those that took effect', async () => {
    const answers: string[] = [];
    const { starts, controls } = await supervise(
      [
        async (coordinator) => {
          await coordinator.ask(CREATE);
          coordinator.say(committed(2));
          coordinator.die();
        },
        finishes,
      ],
      {
        begin: (supervisor) => {
          for (const control of ['slower', 'late'])
            void supervisor
              .control({ control, action: 'lr', factor: 0.5 })
              .then(({ step }) => answers.push(`${control} ${step}`));
        },
      },
    );
    expect(controls).toEqual(['0 slower', '0 late', '1 late']);
    expect(answers).toEqual(['slower 3', 'late 3']);
    expect(starts[1]!.replay).toEqual([{ control: 'slower', action: 'lr', factor: 0.5, atStep: 3 }]);
  });

  it('does not begin anew where it was to stop', async () => {
    const { result, launched } = await supervise([dies], {
      begin: (supervisor) => void supervisor.control({ control: 'signal', action: 'stop' }),
    });
    expect(launched).toBe(1);
    expect(result).toMatchObject({
      exitCode: 75,
      message: expect.stringMatching(/^training failed while it was to stop: .*; all up to step 2 is saved in run\/commits\/2/),
    });
  });

  it('goes on with the seed that failed, as the first was sized to the machine', async () => {
    const { result, starts } = await supervise(
      [
        async (coordinator) => {
          await coordinator.ask(CREATE);
          await coordinator.ask(finish(7));
          coordinator.die();
        },
        async (coordinator) => {
          await coordinator.ask(CREATE);
          await coordinator.ask(finish(8));
          coordinator.done();
        },
      ],
      { seeds: 2 },
    );
    expect(result).toHaveLength(2);
    expect(starts[1]).toMatchObject({ firstSeed: 1, restart: null, config: { seed: 7 } });
  });
});
