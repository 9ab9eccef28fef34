// What changes the course of a run from outside. Controls arrive at any time and take effect between two steps.
import type { Control, ControlReply } from '@trainer/protocol';

interface Waiting {
  readonly control: Control;
  readonly resolve: (reply: ControlReply) => void;
}

/** Controls of one run: each id has its effect once, however often it arrives. */
export class Controls {
  #waiting: Waiting[] = [];
  readonly #effects = new Map<string, Promise<ControlReply>>();
  #wake: (() => void) | undefined;
  #stopped = false;
  #paused = false;
  #checkpoint = false;
  #lrFactor = 1;
  /** Completed steps, as far as it was told. */
  #step = 0;

  /** Resolves once the control has taken effect. */
  request(control: Control): Promise<ControlReply> {
    const known = this.#effects.get(control.control);
    if (known) return known;
    const effect = new Promise<ControlReply>((resolve) => this.#waiting.push({ control, resolve }));
    this.#effects.set(control.control, effect);
    this.#wake?.();
    return effect;
  }

  /** A stop was asked for: long work between steps may be cut short. */
  get stopAsked(): boolean {
    return this.#stopped || this.#waiting.some(({ control }) => isStop(control));
  }

  /** A stop took effect. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** A pause took effect, and neither a resume nor a stop since. */
  get paused(): boolean {
    return this.#paused && !this.#stopped;
  }

  get lrFactor(): number {
    return this.#lrFactor;
  }

  /** Training begins after `step` completed steps: what took effect before is in the state that it begins from. */
  begin(step: number, lrFactor: number): void {
    this.#lrFactor = lrFactor;
    this.#step = step;
    this.#waiting = this.#waiting.filter(({ control: { atStep = step }, resolve }) => {
      if (atStep < step) resolve({ step: atStep });
      return atStep >= step;
    });
  }

  /** Whether a checkpoint was asked for since the last call. */
  takeCheckpoint(): boolean {
    const asked = this.#checkpoint;
    this.#checkpoint = false;
    return asked;
  }

  /**
   * Lets what has arrived take effect after `step` completed steps, in order. While the run is paused, and no checkpoint is asked
   * for, it waits for more, and tells `onPause` once.
   */
  async settle(step: number, onPause: () => void): Promise<void> {
    this.#apply(step);
    if (!this.#waits) return;
    onPause();
    while (this.#waits) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
      this.#apply(step);
    }
  }

  get #waits(): boolean {
    return this.paused && !this.#checkpoint;
  }

  /** The run is over after `step` steps: what still waits has no effect any more. Default: the last it was told of. */
  end(step = this.#step): void {
    this.#step = step;
    for (const { resolve } of this.#waiting) resolve({ step });
    this.#waiting = [];
  }

  /** In the order they came: one that waits for its step holds up those after it, but for a stop. */
  #apply(step: number): void {
    const held = this.#waiting.findIndex(({ control }) => (control.atStep ?? 0) > step);
    const due = this.#waiting.filter(({ control }, i) => held === -1 || i < held || isStop(control));
    this.#waiting = this.#waiting.filter((waiting) => !due.includes(waiting));
    for (const { control, resolve } of due) {
      this.#take(control);
      resolve({ step });
    }
  }

  #take({ action, factor }: Control): void {
    switch (action) {
      case 'pause':
        this.#paused = true;
        break;
      case 'resume':
        this.#paused = false;
        break;
      case 'stop':
        this.#stopped = true;
        break;
      case 'checkpoint':
        this.#checkpoint = true;
        break;
      case 'lr':
        this.#lrFactor = factor ?? 1;
        break;
      default:
        action satisfies never;
    }
  }
}

/** Of now, not one that is repeated at its step. */
const isStop = ({ action, atStep }: Control): boolean => action === 'stop' && atStep === undefined;
