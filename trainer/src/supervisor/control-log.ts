// The controls of a run as the supervisor keeps them, so that a coordinator that is started anew does again what was done after
// its commit, at the same steps, and what had not been done yet.
import type { Control, ControlReply } from '@trainer/protocol';

interface Entry {
  readonly control: Control;
  /** After how many completed steps it took effect; undefined while it has not. */
  step: number | undefined;
  /** It took effect in a run that has ended: it is known, but not done again. */
  past: boolean;
  readonly done: (reply: ControlReply) => void;
  readonly effect: Promise<ControlReply>;
}

export class ControlLog {
  readonly #entries = new Map<string, Entry>();
  /** Set once nothing will take effect any more. */
  #end: ControlReply | undefined;

  /** Resolves once the control has taken effect. The same id again is the same control. */
  add(control: Control): Promise<ControlReply> {
    const known = this.#entries.get(control.control);
    if (known) return known.effect;
    let done: Entry['done'] = () => {};
    const effect = new Promise<ControlReply>((resolve) => {
      done = resolve;
    });
    this.#entries.set(control.control, { control, step: undefined, past: false, done, effect });
    if (this.#end) done(this.#end);
    return effect;
  }

  tookEffect(id: string, { step }: ControlReply): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.step ??= step;
    entry.done({ step: entry.step });
  }

  /** Those that have not taken effect, in the order they came. */
  get waiting(): Control[] {
    return [...this.#entries.values()].filter(({ step }) => step === undefined).map(({ control }) => control);
  }

  /** For a coordinator that goes on with the run: what took effect in it, each at its step. */
  get effects(): Control[] {
    return [...this.#entries.values()].flatMap(({ control, step, past }) =>
      step === undefined || past ? [] : [{ ...control, atStep: step }],
    );
  }

  /** A run ended: the next one begins without what was done to it. Stops are for all of them. */
  forgetEffects(): void {
    for (const entry of this.#entries.values()) entry.past = entry.step !== undefined && entry.control.action !== 'stop';
  }

  /** Nothing will take effect any more. */
  end(step: number): void {
    this.#end = { step };
    for (const entry of this.#entries.values()) entry.done(this.#end);
  }
}
