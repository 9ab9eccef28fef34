// The ranks of a simulated coordinator: the real ones, on fake devices, in threads that are lines of a simulation.
import type { ExchangeGroup } from '../../allreduce/shared-memory.js';
import type { OpenRanks, OpenRanksOptions } from '../../coordinator/open-ranks.js';
import { Ranks } from '../../coordinator/ranks.js';
import { answerRequests, type ReplyMessage, type RequestMessage } from '../../link/requests.js';
import type { Clock } from '../../time.js';
import { type FakeDeviceOptions, openFakeDevice } from '../../worker/fake/fake-device.js';
import { Rank } from '../../worker/rank.js';
import type { RankBody, RankCall, RankLog, StepRequest } from '../../worker/rank-protocol.js';
import { type ChannelFaults, type SimulatedPair, simulatedChannelPair } from '../channels.js';
import type { ProcessClock, SimulatedClock } from '../clock.js';
import { SimulatedExchanges } from '../exchange.js';
import type { Simulation } from '../simulate.js';
import type { Bug } from './bugs.js';

type Line = SimulatedPair<RequestMessage<RankBody>, ReplyMessage<unknown> | RankLog>;

export interface RankThreadsOptions {
  readonly simulation: Simulation;
  /** Tells this coordinator's random numbers from others'. */
  readonly label: number;
  readonly ranks: number;
  readonly device: FakeDeviceOptions;
  /** Of the lines between coordinator and ranks. */
  readonly faults: ChannelFaults;
  /** Of each step, as each rank is asked for it. */
  readonly onStep: (rank: number, request: StepRequest) => void;
  readonly bug?: Bug | undefined;
}

/** Threads of a process: they end with it, or one alone. */
export class RankThreads {
  readonly #options: RankThreadsOptions;
  readonly #lines: Line[] = [];
  readonly #clocks: ProcessClock[] = [];
  /** By when steps under way are to be done, by rank. */
  readonly #due = new Map<number, number>();

  constructor(options: RankThreadsOptions) {
    this.#options = options;
  }

  /** As the coordinator's surroundings open them. */
  open({ deadline, teller, clock }: OpenRanksOptions): OpenRanks {
    const { ranks, bug } = this.#options;
    const exchanges = new SimulatedExchanges(clock);
    const channels = Array.from({ length: ranks }, (_, rank) => this.#start(rank, exchanges).a);
    const group = new Ranks({
      channels,
      clock: bug === 'rank watchdog off' ? withoutLong(clock, 1000) : clock,
      deadline,
      onLog: (rank, { line }) => teller.rankLog(rank, line),
      connect: (sides) => {
        const groups = Object.fromEntries(sides.map((side) => [side, exchanges.create({ ranks, wire: 'fp32' })]));
        return {
          // A simulated group is a number.
          groups: { gradients: groups as unknown as Record<string, ExchangeGroup> },
          abort: (reason) => {
            for (const one of Object.values(groups)) exchanges.abort(one, reason);
          },
        };
      },
    });
    return { group, close: async () => this.end() };
  }

  /** By how many milliseconds a step is over its deadline. */
  get overdueMs(): number {
    return this.#options.simulation.clock.now() - Math.min(...this.#due.values());
  }

  /** The thread of one rank ends. */
  endOne(rank: number): void {
    this.#clocks[rank]?.kill();
    this.#lines[rank]?.crash('b');
  }

  sever(rank: number): void {
    this.#lines[rank]?.sever();
  }

  /** All threads end; also those that are stuck. */
  end(): void {
    for (const rank of this.#lines.keys()) this.endOne(rank);
  }

  /** The process is gone: nobody is told that the threads have ended. */
  vanish(): void {
    for (const line of this.#lines) line.crash('a');
    this.end();
  }

  #start(rank: number, exchanges: SimulatedExchanges): Line {
    const { simulation, label, ranks, device, faults, onStep, bug } = this.#options;
    const clock = (simulation.clock as SimulatedClock).fork();
    const line: Line = simulatedChannelPair({
      clock: simulation.clock,
      trace: simulation.trace,
      random: simulation.random('rank line', label, rank),
      faults,
      names: [`coordinator ${label}`, `rank ${rank}`],
    });
    const join: typeof exchanges.join = (group, of, layout) => {
      const exchange = exchanges.join(group, of, layout);
      if (bug !== 'shares not weighted') return exchange;
      return Object.assign(Object.create(exchange) as typeof exchange, {
        exchange: (contribution: Parameters<typeof exchange.exchange>[0], ...rest: never) =>
          exchange.exchange({ ...contribution, examples: Math.sign(contribution.examples) }, ...(rest as [never, never])),
      });
    };
    const end = new Rank({ rank, ranks, openDevice: () => openFakeDevice(device, rank, clock), join });
    answerRequests<RankBody, unknown>(line.b, async ({ call, request }) => {
      if (call !== 'step') return await end.handle<RankCall>(call, request);
      const step = request as StepRequest;
      const asked = bug === 'rate of one rank' && rank === ranks - 1 ? { ...step, lr: this.#firstRate(step) } : step;
      onStep(rank, step);
      this.#due.set(rank, simulation.clock.now() + step.deadlineMs);
      const reply = await end.handle('step', asked);
      this.#due.delete(rank);
      return reply;
    });
    this.#lines[rank] = line;
    this.#clocks[rank] = clock;
    return line;
  }

  #rate: number | undefined;
  #firstRate({ lr }: StepRequest): number {
    this.#rate ??= lr;
    return this.#rate;
  }
}

/** A clock whose timers of so many milliseconds and more never go off. */
export const withoutLong = (clock: Clock, ms: number): Clock => ({
  now: () => clock.now(),
  later: (callback, delay) => (delay >= ms ? () => undefined : clock.later(callback, delay)),
});
