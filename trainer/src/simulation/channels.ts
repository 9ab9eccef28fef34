// Channels on simulated time, with the faults of real ones by seed: of sockets (slow, cut off) and of lossy transports.
import { type Channel, ChannelClosed, type CloseReason, Listeners } from '../link/channel.js';
import type { RandomStream } from '../random.js';
import type { SimulatedClock } from './clock.js';
import { describe, type Trace } from './trace.js';

/** Probabilities are per message, 0 to 1. Those that sockets cannot have are absent in SOCKET. */
export interface ChannelFaults {
  /** Shortest and longest journey of a message. */
  readonly delayMs: readonly [number, number];
  /** Some take longer by so much, and on an ordered line all behind them. */
  readonly slow?: { readonly probability: number; readonly ms: number };
  /** The connection breaks, with what is under way. */
  readonly sever?: number;
  readonly drop?: number;
  readonly duplicate?: number;
  /** A message does not wait for those before it. */
  readonly reorder?: number;
  /** So many messages may be under way before a sender has to wait. */
  readonly window?: number;
}

/** A socket between processes of a busy machine. */
export const SOCKET: ChannelFaults = { delayMs: [0.05, 2], slow: { probability: 0.02, ms: 200 }, window: 16 };

const DEFAULT_WINDOW = 16;

export interface ChannelPairOptions {
  readonly clock: SimulatedClock;
  readonly random: RandomStream;
  readonly faults: ChannelFaults;
  readonly trace: Trace;
  /** For the trace, of both ends: ['supervisor', 'coordinator']. */
  readonly names: readonly [string, string];
  /** What becomes of a message on its way. Default: as between threads, `structuredClone`. */
  readonly copy?: (message: unknown) => unknown;
}

export interface SimulatedPair<A, B> {
  /** Sends A and gets B. */
  readonly a: Channel<A, B>;
  readonly b: Channel<B, A>;
  /**
   * The process at one end dies: that end hears and says nothing more, without being told. Some of what it had sent still
   * arrives, then the other end is closed.
   */
  crash(end: 'a' | 'b'): void;
  /** The process at one end is stuck: that end hears and says nothing more, which nobody is told of before it crashes. */
  freeze(end: 'a' | 'b'): void;
  /** The connection breaks: both ends are closed, after some of what was under way. */
  sever(): void;
}

export function simulatedChannelPair<A, B>(options: ChannelPairOptions): SimulatedPair<A, B> {
  const [a, b] = [new End<A, B>(options, 0), new End<B, A>(options, 1)];
  a.connect(b);
  b.connect(a);
  let severed = false;
  const sever = (): void => {
    if (severed || a.ended || b.ended) return;
    severed = true;
    options.trace.add(`${options.names.join(' - ')} severed`);
    a.lose({ by: 'error', message: 'the connection broke: read ECONNRESET' });
    b.lose({ by: 'error', message: 'the connection broke: read ECONNRESET' });
  };
  a.onSever = sever;
  b.onSever = sever;
  return { a, b, sever, crash: (end) => (end === 'a' ? a : b).crash(), freeze: (end) => (end === 'a' ? a : b).freeze() };
}

/** Something on its way to the other end. */
interface Parcel {
  readonly cancel: () => void;
}

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class End<Out, In> implements Channel<Out, In> {
  readonly closed: Promise<CloseReason>;
  onSever: () => void = () => {};
  readonly #options: ChannelPairOptions;
  readonly #copy: (message: unknown) => unknown;
  readonly #name: string;
  readonly #listeners = new Listeners<In>();
  #other!: End<In, Out>;
  #resolveClosed: (reason: CloseReason) => void = () => {};
  /** Arrived before anyone listened. */
  #unheard: In[] | undefined = [];
  #reason: CloseReason | undefined;
  #dead = false;
  #crashed = false;
  /** Nothing more will arrive. */
  ended = false;
  readonly #underWay = new Set<Parcel>();
  #waiting: Waiting[] = [];
  #lastArrival = 0;

  constructor(options: ChannelPairOptions, end: 0 | 1) {
    this.#options = options;
    this.#copy = options.copy ?? structuredClone;
    this.#name = `${options.names[end]}>${options.names[1 - end]}`;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  connect(other: End<In, Out>): void {
    this.#other = other;
  }

  async send(message: Out): Promise<void> {
    // Who is dead gets no answer.
    if (this.#dead) return new Promise(() => {});
    if (this.#reason) throw new ChannelClosed(this.#reason.message);
    this.#dispatch(this.#copy(message) as Out);
    const { window = DEFAULT_WINDOW } = this.#options.faults;
    if (this.#underWay.size < window) return;
    await new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  onMessage(listener: (message: In) => void): void {
    if (!this.#listeners.add(listener)) return;
    this.#options.clock.laterExactly(() => {
      const unheard = this.#unheard!;
      this.#unheard = undefined;
      for (const message of unheard) if (!this.#dead) this.#listeners.call(message);
    }, 0);
  }

  close(): void {
    if (this.#reason || this.#dead) return;
    this.#options.trace.add(`${this.#name} closes`);
    this.#stop({ by: 'us', message: 'this end closed the connection' });
    this.#sendEnd({ by: 'peer', message: 'the other end closed the connection' });
  }

  freeze(): void {
    this.#options.trace.add(`${this.#name} is stuck`);
    this.#dead = true;
    this.#waiting = [];
  }

  crash(): void {
    if (this.#crashed) return;
    this.#crashed = true;
    this.freeze();
    this.#options.trace.add(`${this.#name} crashes`);
    const broken = this.#options.random.below(4) === 0;
    this.lose(
      broken
        ? { by: 'error', message: 'the connection broke: read ECONNRESET' }
        : { by: 'peer', message: 'the other end closed the connection' },
    );
  }

  /** Only the first so many of what is under way arrive, then the end. */
  lose(reason: CloseReason): void {
    const { random, trace } = this.#options;
    const parcels = [...this.#underWay];
    const arriving = random.below(parcels.length + 1);
    for (const parcel of parcels.slice(arriving)) {
      parcel.cancel();
      this.#underWay.delete(parcel);
    }
    trace.add(`${this.#name} loses ${parcels.length - arriving} of ${parcels.length}`);
    this.#sendEnd(reason);
  }

  #dispatch(message: Out): void {
    const { random, faults, trace } = this.#options;
    const happens = (probability = 0): boolean => probability > 0 && random.uniform() < probability;
    const text = describe(message);
    if (happens(faults.drop)) return trace.add(`${this.#name} drops ${text}`);
    trace.add(`${this.#name} sends ${text}`);
    const copies = happens(faults.duplicate) ? 2 : 1;
    for (let i = 0; i < copies; i++)
      this.#carry(() => this.#other.#receive(i === 0 ? message : structuredClone(message), text), !happens(faults.reorder));
    if (happens(faults.sever)) this.onSever();
  }

  #sendEnd(reason: CloseReason): void {
    this.#carry(() => this.#other.#end(reason), true);
  }

  /** Lets something arrive after a journey, not before what was sent earlier where in order. */
  #carry(arrive: () => void, ordered: boolean): void {
    const { clock, random, faults } = this.#options;
    const [shortest, longest] = faults.delayMs;
    const slow = faults.slow && random.uniform() < faults.slow.probability ? faults.slow.ms : 0;
    let arrival = clock.now() + shortest + random.uniform() * (longest - shortest) + slow;
    if (ordered) {
      arrival = Math.max(arrival, this.#lastArrival);
      this.#lastArrival = arrival;
    }
    const parcel: Parcel = {
      cancel: clock.at(() => {
        this.#underWay.delete(parcel);
        this.#letSendersGo();
        arrive();
      }, arrival),
    };
    this.#underWay.add(parcel);
  }

  #letSendersGo(): void {
    if (this.#dead) return;
    const { window = DEFAULT_WINDOW } = this.#options.faults;
    if (this.#underWay.size < window) this.#settle(({ resolve }) => resolve());
  }

  #receive(message: In, text: string): void {
    if (this.#dead || this.ended) return;
    this.#options.trace.add(`${this.#other.#name} arrives ${text}`);
    if (this.#unheard) this.#unheard.push(message);
    else this.#listeners.call(message);
  }

  /** The other end is closed or gone. */
  #end(reason: CloseReason): void {
    if (this.#dead || this.ended) return;
    this.ended = true;
    const answered = this.#reason !== undefined;
    this.#stop(reason);
    this.#options.trace.add(`${this.#name} is closed by ${this.#reason!.by}`);
    if (!answered && !this.#other.#dead) this.#sendEnd({ by: 'peer', message: 'the other end closed the connection' });
    this.#resolveClosed(this.#reason!);
  }

  #stop(reason: CloseReason): void {
    this.#reason ??= reason;
    const { message } = this.#reason;
    this.#settle(({ reject }) => reject(new ChannelClosed(message)));
  }

  #settle(how: (sender: Waiting) => void): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const sender of waiting) how(sender);
  }
}
