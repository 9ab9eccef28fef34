// A simulated coordinator process: the real coordinator on its own clock, that can be killed, get stuck, or lose its line.
import { decode, type Encodable, encode, type ToCoordinator, type ToSupervisor } from '@trainer/protocol';
import { z } from 'zod';
import { serve } from '../../coordinator/serve.js';
import type { Channel } from '../../link/channel.js';
import type { Coordinator } from '../../supervisor/contract.js';
import type { FakeDeviceOptions } from '../../worker/fake/fake-device.js';
import type { StepRequest } from '../../worker/rank-protocol.js';
import { type ChannelFaults, type SimulatedPair, simulatedChannelPair } from '../channels.js';
import type { ProcessClock } from '../clock.js';
import type { Simulation } from '../simulate.js';
import type { Bug } from './bugs.js';
import type { SimulatedDisk } from './disk.js';
import { DATASET } from './images.js';
import { RankThreads } from './ranks.js';
import type { Trouble } from './troubles.js';

export interface ProcessOptions {
  readonly simulation: Simulation;
  /** How many there were before. */
  readonly number: number;
  readonly disk: SimulatedDisk;
  readonly ranks: number;
  readonly device: FakeDeviceOptions;
  readonly trouble: Trouble | undefined;
  readonly faults: ChannelFaults;
  readonly onStep: (rank: number, request: StepRequest) => void;
  readonly bug?: Bug | undefined;
}

/** From the signal to the end of a killed process. */
const END_MS = 20;
/** Of a coordinator, after which it counts as stuck. */
const SILENCE_MS = 30_000;
const NOTICED_WITHIN_MS = 1000;

export class CoordinatorProcess implements Coordinator {
  readonly channel: Channel<ToCoordinator, ToSupervisor>;
  readonly exited: Promise<string>;
  readonly #options: ProcessOptions;
  readonly #clock: ProcessClock;
  readonly #line: SimulatedPair<ToCoordinator, ToSupervisor>;
  readonly #threads: RankThreads;
  #cancel: () => void;
  #saidTimes = 0;
  #resolveExited: (how: string) => void = () => undefined;
  #ended = false;
  /** When its trouble came over it; undefined where it has not. */
  troubledAt: number | undefined;

  constructor(options: ProcessOptions) {
    const { simulation, number, disk, bug, ranks, device, faults, onStep } = options;
    this.#options = options;
    this.exited = new Promise((resolve) => {
      this.#resolveExited = resolve;
    });
    this.#clock = simulation.clock.fork();
    this.#threads = new RankThreads({ simulation, label: number, ranks, device, faults, onStep, bug });
    this.#line = simulatedChannelPair({
      clock: simulation.clock,
      trace: simulation.trace,
      random: simulation.random('line', number),
      faults,
      names: ['supervisor', `coordinator ${number}`],
      copy: copier(bug, (message) => this.#listen(message)),
    });
    this.channel = this.#line.a;
    this.#cancel = this.#await(options.trouble);
    const channel = bug === 'finish lost' ? withoutFinish(this.#line.b) : this.#line.b;
    void this.#line.b.closed.then(({ by }) => this.#end(by === 'us' ? 'ended with code 0' : 'was killed by SIGKILL'));
    serve({
      channel,
      clock: this.#clock,
      env: { XDG_CACHE_HOME: '/nowhere' },
      surroundings: {
        openRanks: async (asked) => this.#threads.open(asked),
        loadDataset: async () => DATASET,
        ...disk.stores(this.#clock),
      },
    });
  }

  /** Something that may end it came over it, or may have. */
  get hadTrouble(): boolean {
    return this.troubledAt !== undefined || this.#options.trouble?.what === 'device';
  }

  lastWords(): readonly string[] {
    return [];
  }

  kill(): void {
    this.#end('was killed by SIGKILL');
  }

  #await(trouble: Trouble | undefined): () => void {
    if (!trouble || trouble.what === 'device' || trouble.what === 'kill after') return () => undefined;
    return this.#options.simulation.clock.laterExactly(() => this.#suffer(trouble), trouble.afterMs);
  }

  /** To what is said on its line. */
  #listen(message: ToCoordinator | ToSupervisor): void {
    const { trouble, simulation } = this.#options;
    if (message.type === 'failed')
      simulation.check(this.#threads.overdueMs <= NOTICED_WITHIN_MS, 'a rank that is late is noticed soon after its deadline');
    if (trouble?.what !== 'kill after' || kindOf(message) !== trouble.said || ++this.#saidTimes !== trouble.times) return;
    this.#cancel = simulation.clock.laterExactly(() => this.#suffer(trouble), trouble.afterMs);
  }

  #suffer(trouble: Exclude<Trouble, { readonly what: 'device' }>): void {
    const { simulation, number } = this.#options;
    simulation.trace.add(`trouble: coordinator ${number}: ${JSON.stringify(trouble)}`);
    this.troubledAt = simulation.clock.now();
    switch (trouble.what) {
      case 'kill':
      case 'kill after':
        return this.kill();
      case 'sever':
        return this.#line.sever();
      case 'freeze':
        this.#clock.kill();
        return this.#line.freeze('b');
      case 'end rank':
        return this.#threads.endOne(trouble.rank);
      case 'sever rank':
        return this.#threads.sever(trouble.rank);
    }
  }

  #end(how: string): void {
    if (this.#ended) return;
    this.#ended = true;
    const { simulation, number, trouble } = this.#options;
    simulation.trace.add(`coordinator ${number} ${how}`);
    if (trouble?.what === 'freeze' && this.troubledAt !== undefined)
      simulation.check(
        simulation.clock.now() - this.troubledAt <= SILENCE_MS + NOTICED_WITHIN_MS,
        'a stuck coordinator is noticed',
      );
    this.#cancel();
    this.#clock.kill();
    this.#threads.vanish();
    this.#line.crash('b');
    simulation.clock.laterExactly(() => this.#resolveExited(how), END_MS * simulation.random('end', number).uniform());
  }
}

/** As through the real line: bytes on the way. */
function copier(bug: Bug | undefined, listener: (message: ToCoordinator | ToSupervisor) => void): (message: unknown) => unknown {
  const seen = new Map<string, number>();
  return (message) => {
    listener(message as ToCoordinator | ToSupervisor);
    return spoiled(decode(encode(message as Encodable), z.any()), bug, seen);
  };
}

/** As troubles name it. A reply is the coordinator's to a control. */
function kindOf(message: ToCoordinator | ToSupervisor): string {
  if (message.type === 'event') return message.event.type;
  if (message.type === 'request') return 'what' in message.body ? message.body.what : 'control';
  return message.type === 'reply' && (message.body === null || 'path' in message.body) ? 'file' : message.type;
}

function spoiled(message: ToCoordinator | ToSupervisor, bug: Bug | undefined, seen: Map<string, number>): unknown {
  if (message.type === 'start' && bug === 'replay dropped') return { ...message, start: { ...message.start, replay: [] } };
  if (message.type === 'start' && bug === 'replay late') {
    const replay = message.start.replay.map((control) => ({ ...control, atStep: control.atStep! + 1 }));
    return { ...message, start: { ...message.start, replay } };
  }
  if (message.type === 'request' && 'control' in message.body && bug === 'controls not idempotent') {
    const { control } = message.body;
    seen.set(control, (seen.get(control) ?? 0) + 1);
    return { ...message, body: { ...message.body, control: `${control} for the ${seen.get(control)}. time` } };
  }
  return message;
}

const withoutFinish = (channel: Channel<ToSupervisor, ToCoordinator>): Channel<ToSupervisor, ToCoordinator> => ({
  closed: channel.closed,
  send: (message) => (isFinish(message) ? Promise.resolve() : channel.send(message)),
  onMessage: (listener) => channel.onMessage(listener),
  close: () => channel.close(),
});

const isFinish = (message: ToSupervisor): boolean =>
  message.type === 'request' && 'what' in message.body && message.body.what === 'finish';
