// All ranks asked as one: every call goes to each of them, and what one cannot do fails for all.
import type { Side } from '@trainer/protocol';
import { TrainerError } from '../errors.js';
import type { Channel } from '../link/channel.js';
import { type ReplyMessage, RequestError, type RequestMessage, Requests } from '../link/requests.js';
import type { ModelTensors } from '../report/contract.js';
import type { Clock } from '../time.js';
import type { DeviceDescription } from '../worker/device.js';
import type {
  BuildRequest,
  JoinRequest,
  PlaceRequest,
  RankBody,
  RankCall,
  RankCalls,
  RankLog,
  ScoreRequest,
  StepReply,
  Sums,
} from '../worker/rank-protocol.js';
import { type GroupStep, RankFailure, type RankGroup } from './contract.js';

export type RankChannel = Channel<RequestMessage<RankBody>, ReplyMessage<unknown> | RankLog>;

export interface RanksOptions {
  /** By rank. */
  readonly channels: readonly RankChannel[];
  readonly clock: Clock;
  /** Makes the groups in which each side's steps are averaged; called once, where there are several ranks. */
  readonly connect: (sides: readonly Side[], syncNorms: boolean) => ExchangeGroups;
  /** Seconds that a step may take; null: by the length of those before. */
  readonly deadline: number | null;
  readonly onLog: (rank: number, log: RankLog) => void;
}

export interface ExchangeGroups {
  /** What each rank joins by. */
  readonly groups: JoinRequest;
  /** Makes every exchange fail, on all ranks. */
  abort(reason: string): void;
}

/** A step is late after ten of its usual length, and never before this. */
const LEAST_DEADLINE_MS = 15_000;
const USUAL_STEPS = 10;
/** Tracing and compiling, which XLA takes minutes for. */
const COMPILE_DEADLINE_MS = 15 * 60_000;
/** Steps from which the usual length is taken. */
const STEPS_KEPT = 51;
/**
 * After a failure, how long the others have to tell of theirs: the first cause is not always the first to arrive. After a
 * deadline, how long those have to answer that only waited for another.
 */
const GRACE_MS = 300;
/** Where a rank was that failed, for people. */
const PLACES: Readonly<Record<Exclude<RankCall, 'step'>, string>> = {
  open: 'opening its device',
  build: 'building the models',
  join: 'joining the others',
  time: 'timing a few steps',
  place: 'placing the weights',
  score: 'validating',
  snapshot: 'saving',
  digest: 'comparing weights',
  close: 'closing',
};

/** What ranks say whose exchange was ended because another failed. */
const ECHO = 'the exchange was ended';

export class Ranks implements RankGroup {
  readonly #options: RanksOptions;
  readonly #links: readonly Requests<RankBody, unknown>[];
  readonly #stepMs: number[] = [];
  readonly #evaluated = new Set<Side>();
  #groups: ExchangeGroups | undefined;

  constructor(options: RanksOptions) {
    this.#options = options;
    this.#links = options.channels.map((channel, rank) => {
      channel.onMessage((message) => {
        if (message.type === 'log') options.onLog(rank, message);
      });
      return new Requests<RankBody, unknown>(channel, options.clock);
    });
  }

  get ranks(): number {
    return this.#links.length;
  }

  open(): Promise<readonly DeviceDescription[]> {
    return this.#all('open', null, COMPILE_DEADLINE_MS);
  }

  async build(request: BuildRequest): Promise<void> {
    await this.#all('build', request, COMPILE_DEADLINE_MS);
    if (this.ranks === 1) return;
    const { model, syncBn, norm } = request.config;
    this.#groups = this.#options.connect(model, syncBn && norm === 'batch');
    await this.#all('join', this.#groups.groups, LEAST_DEADLINE_MS);
  }

  async time(batchSize: number): Promise<number> {
    const rates = await this.#all('time', { batchSize }, COMPILE_DEADLINE_MS);
    return rates.reduce((sum, rate) => sum + rate, 0);
  }

  async place(request: PlaceRequest): Promise<void> {
    await this.#all('place', request, COMPILE_DEADLINE_MS);
  }

  async step({ compiles, ...request }: Parameters<RankGroup['step']>[0]): ReturnType<RankGroup['step']> {
    const { clock } = this.#options;
    const deadlineMs = compiles ? COMPILE_DEADLINE_MS : this.#deadlineMs();
    const began = clock.now();
    // Ranks are told of a late one from here, where all are seen, and where a suspended process is told from a late one. What ends
    // their waiting otherwise comes long after that.
    const body = { ...request, deadlineMs: 10 * (deadlineMs + GRACE_MS) };
    const replies = await this.#all('step', body, deadlineMs, `step ${request.step + 1}`);
    if (!compiles) this.#remember(clock.now() - began);
    return { sides: merged(replies), input: replies[0]!.input };
  }

  async score(request: ScoreRequest): Promise<Sums> {
    const deadlineMs = this.#evaluated.has(request.side) ? this.#deadlineMs() : COMPILE_DEADLINE_MS;
    const parts = await this.#all('score', request, deadlineMs);
    this.#evaluated.add(request.side);
    return parts.reduce((sum, { loss, correct }) => ({ loss: sum.loss + loss, correct: sum.correct + correct }));
  }

  snapshot(): Promise<Partial<Record<Side, ModelTensors>>> {
    return this.#guarded(this.#ask(0, 'snapshot', null, Math.max(LEAST_DEADLINE_MS, this.#deadlineMs())), PLACES.snapshot);
  }

  async verify(step: number): Promise<void> {
    const digests = await this.#all('digest', null, Math.max(LEAST_DEADLINE_MS, this.#deadlineMs()));
    const [first, ...others] = digests;
    for (const [i, other] of others.entries()) {
      const name = Object.keys(first!).find((key) => first![key] !== other[key]);
      if (name !== undefined)
        throw new RankFailure(`after step ${step} rank ${i + 1} does not hold the weights of rank 0: they differ in ${name}`);
    }
  }

  async close(): Promise<void> {
    await this.#all('close', null, LEAST_DEADLINE_MS);
    for (const channel of this.#options.channels) channel.close();
  }

  #deadlineMs(): number {
    const { deadline } = this.#options;
    if (deadline !== null) return 1000 * deadline;
    const sorted = [...this.#stepMs].sort((a, b) => a - b);
    return Math.max(LEAST_DEADLINE_MS, USUAL_STEPS * (sorted[Math.floor(sorted.length / 2)] ?? 0));
  }

  #remember(ms: number): void {
    this.#stepMs.push(ms);
    if (this.#stepMs.length > STEPS_KEPT) this.#stepMs.shift();
  }

  async #ask<C extends RankCall>(
    rank: number,
    call: C,
    request: RankCalls[C]['request'],
    deadlineMs: number,
  ): Promise<RankCalls[C]['reply']> {
    try {
      return (await this.#links[rank]!.call({ call, request }, { deadlineMs: deadlineMs + GRACE_MS })) as RankCalls[C]['reply'];
    } catch (error) {
      if (error instanceof RequestError && error.fault === 'late')
        throw new RankFailure(`rank ${rank} is frozen: it did not answer within ${deadlineMs / 1000} s`);
      if (error instanceof RequestError && error.fault === 'closed')
        throw new RankFailure(`rank ${rank} ended: ${error.message}`);
      if (error instanceof TrainerError) throw error;
      throw new RankFailure(`rank ${rank} failed: ${(error as Error).message}`, { cause: error });
    }
  }

  /** The replies by rank. */
  #all<C extends RankCall>(
    call: C,
    request: RankCalls[C]['request'],
    deadlineMs: number,
    what: string = PLACES[call as Exclude<C, 'step'>],
  ): Promise<RankCalls[C]['reply'][]> {
    const asked = this.#links.map((_, rank) => this.#ask(rank, call, request, deadlineMs));
    // Who then still does not answer is the late one.
    const late = `${ECHO}: not all ranks were done within ${deadlineMs / 1000} s, --deadline allows more`;
    const cancel = this.#options.clock.later(() => this.#groups?.abort(late), deadlineMs);
    return this.#together(asked, what).finally(cancel);
  }

  /** Waits for all; the first failure makes the others' exchanges fail too, so that no rank waits for one that will not come. */
  async #together<T>(asked: readonly Promise<T>[], what: string): Promise<T[]> {
    const failures: Error[] = [];
    const watched = asked.map((reply) =>
      reply.catch((error: Error) => {
        failures.push(error);
        this.#groups?.abort(`${ECHO}: ${error.message}`);
        throw error;
      }),
    );
    try {
      return await Promise.all(watched);
    } catch {
      await Promise.race([Promise.allSettled(watched), this.#pause(GRACE_MS)]);
      throw withPlace(cause(failures), what);
    }
  }

  async #guarded<T>(reply: Promise<T>, what: string): Promise<T> {
    return (await this.#together([reply], what))[0]!;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.later(resolve, ms));
  }
}

/** Ranks whose exchange was made to fail tell of that; another's failure is why. */
function cause(failures: readonly Error[]): Error {
  const isEcho = ({ message }: Error): boolean => message.includes(ECHO);
  const first = failures.find((error) => error instanceof TrainerError) ?? failures.find((error) => !isEcho(error));
  return first ?? new RankFailure(failures[0]!.message.split(`${ECHO}: `)[1], { cause: failures[0] });
}

const withPlace = (error: Error, what: string): Error =>
  error instanceof TrainerError ? error : new RankFailure(`${error.message} (${what})`, { cause: error });

/** Numbers of the global batch are the same on all ranks; a step takes as long as its slowest rank. */
function merged(replies: readonly StepReply[]): GroupStep[] {
  return replies[0]!.sides.map((side, i) => ({
    ...side,
    stepMs: Math.max(...replies.map(({ sides }) => sides[i]!.stepMs)),
    times: replies.map(({ sides }) => sides[i]!.times),
  }));
}
