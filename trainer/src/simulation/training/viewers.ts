// Viewers of a simulated run: each follows what the supervisor tells over a line that loses, doubles and reorders.
import type { TrainingEvent } from '@trainer/protocol';
import { type ChannelFaults, type SimulatedPair, simulatedChannelPair } from '../channels.js';
import type { Simulation } from '../simulate.js';
import type { Bug } from './bugs.js';
import { EventLog, type Numbered, type Place } from './event-log.js';

type ToViewer =
  | { readonly type: 'entry'; readonly entry: Numbered<TrainingEvent> }
  /** All steps up to a place. */
  | { readonly type: 'snapshot'; readonly place: Place; readonly steps: readonly number[] };
/** What a viewer says, now and then and where something is missing: where it stands. */
type ToHub = { readonly type: 'stands'; readonly place: Place };

const LOSSY: ChannelFaults = {
  delayMs: [1, 100],
  slow: { probability: 0.01, ms: 3000 },
  drop: 0.05,
  duplicate: 0.05,
  reorder: 0.1,
  sever: 0.002,
  window: 10_000,
};
const SAYS_EVERY_MS = 4000;
const KEPT = 20;

/** The supervisor's end. */
export class Hub {
  readonly #log = new EventLog<TrainingEvent>({ keep: KEPT });
  readonly #simulation: Simulation;
  readonly #bug: Bug | undefined;
  readonly #listeners = new Set<(entry: Numbered<TrainingEvent>) => void>();
  #began = false;
  /** That are done and were not given up. */
  steps: number[] = [];

  constructor(simulation: Simulation, bug: Bug | undefined) {
    this.#simulation = simulation;
    this.#bug = bug;
  }

  get place(): Place {
    return this.#log.place;
  }

  tell(event: TrainingEvent): void {
    if (event.type === 'ready') {
      if (this.#began) this.#log.beginEpoch();
      this.#began = true;
    }
    this.steps = follow(this.steps, event, this.#simulation);
    const entry = this.#log.append(event);
    for (const listener of this.#listeners) listener(entry);
  }

  /** What arrives at the far end of a line is a viewer's; ends with the line. */
  serve({ a }: SimulatedPair<ToViewer, ToHub>): void {
    const listener = (entry: Numbered<TrainingEvent>): void => void a.send({ type: 'entry', entry }).catch(() => undefined);
    this.#listeners.add(listener);
    void a.closed.then(() => this.#listeners.delete(listener));
    a.onMessage(({ place }) => {
      const missed = this.#log.since(place);
      const skip = this.#bug === 'entries skipped' ? 1 : 0;
      if (missed) missed.slice(skip).forEach(listener);
      else void a.send({ type: 'snapshot', place: this.place, steps: this.steps }).catch(() => undefined);
    });
  }
}

export class Viewer {
  readonly #simulation: Simulation;
  readonly #hub: Hub;
  readonly #name: string;
  readonly #early = new Map<number, TrainingEvent>();
  #line: SimulatedPair<ToViewer, ToHub> | undefined;
  #lines = 0;
  #cancel = (): void => undefined;
  #left = false;
  #place: Place = { epoch: -1, next: 0 };
  #steps: number[] = [];

  constructor(simulation: Simulation, hub: Hub, name: string) {
    this.#simulation = simulation;
    this.#hub = hub;
    this.#name = name;
    this.#connect();
    this.#say();
  }

  /** Knows all that was told. */
  get isUpToDate(): boolean {
    const { epoch, next } = this.#hub.place;
    return this.#place.epoch === epoch && this.#place.next === next;
  }

  get steps(): readonly number[] {
    return this.#steps;
  }

  leave(): void {
    this.#left = true;
    this.#cancel();
    this.#line?.a.close();
    this.#line?.b.close();
  }

  #connect(): void {
    if (this.#left) return;
    const { clock, trace, random } = this.#simulation;
    const names = ['hub', this.#name] as const;
    const label = random(this.#name, this.#lines++);
    this.#line = simulatedChannelPair({ clock, trace, random: label, faults: LOSSY, names });
    this.#hub.serve(this.#line);
    this.#line.b.onMessage((message) => this.#hear(message));
    void this.#line.b.closed.then(() => clock.later(() => this.#connect(), 500));
  }

  #say(): void {
    this.#stand();
    this.#cancel = this.#simulation.clock.later(() => this.#say(), SAYS_EVERY_MS);
  }

  #stand(): void {
    this.#line!.b.send({ type: 'stands', place: this.#place }).catch(() => undefined);
  }

  #hear(message: ToViewer): void {
    if (message.type === 'snapshot') return this.#begin(message);
    const { epoch, number, entry } = message.entry;
    if (epoch < this.#place.epoch || (epoch === this.#place.epoch && number < this.#place.next)) return;
    if (epoch > this.#place.epoch) return this.#stand();
    this.#early.set(number, entry);
    if (number > this.#place.next) this.#stand();
    this.#goOn();
  }

  #begin({ place, steps }: Extract<ToViewer, { readonly type: 'snapshot' }>): void {
    const { epoch, next } = this.#place;
    if (place.epoch < epoch || (place.epoch === epoch && place.next <= next)) return;
    if (place.epoch > epoch) this.#early.clear();
    this.#place = place;
    this.#steps = [...steps];
    this.#goOn();
  }

  #goOn(): void {
    for (let event = this.#take(); event; event = this.#take()) this.#steps = follow(this.#steps, event, this.#simulation);
  }

  #take(): TrainingEvent | undefined {
    const { epoch, next } = this.#place;
    const event = this.#early.get(next);
    this.#early.delete(next);
    if (event) this.#place = { epoch, next: next + 1 };
    return event;
  }
}

/** The steps after an event: one more, or those up to where training goes on. */
function follow(steps: readonly number[], { type, position: { step } }: TrainingEvent, simulation: Simulation): number[] {
  if (type === 'ready') return steps.slice(0, step);
  if (type !== 'step') return steps as number[];
  simulation.check(step === steps.length + 1, `step ${step} is told after step ${steps.length}`);
  return [...steps, step];
}
