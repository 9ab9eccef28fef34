// Who controls a simulated run: at any time, everything twice now and then, as over a line that answers late.
import type { Control, ControlReply } from '@trainer/protocol';
import type { RandomStream } from '../../random.js';
import type { Simulation } from '../simulate.js';

type Asked = Omit<Control, 'control'> & { readonly afterMs: number };

/** A control with what was answered to each time it was asked for. */
export interface Given {
  readonly control: Control;
  readonly replies: Promise<ControlReply>[];
  /** When it was asked for first. */
  readonly at: number;
  /** After which it took effect, once it is answered. */
  step: number | undefined;
  /** Steps that were told of while it should have been answered. */
  ignoredBy: number;
}

const FACTORS = [0.1, 0.5, 2];
const SPREAD_MS = 5000;
/** A message takes a part of this; a step may take longer, and one more may be under way. */
const SOON_MS = 1000;
const STEPS_TO_ANSWER = 2;

/** What is asked for in a run, in this order. Who pauses goes on after a while. */
function drawControls(random: RandomStream): Asked[] {
  const asked: Asked[] = Array.from({ length: random.below(5) }, () => {
    const afterMs = random.uniform() ** 2 * SPREAD_MS;
    const pick = random.below(20);
    if (pick < 10) return { action: 'lr', factor: FACTORS[random.below(FACTORS.length)]!, afterMs };
    if (pick < 14) return { action: 'checkpoint', afterMs };
    return { action: pick < 19 ? 'pause' : 'stop', afterMs };
  });
  const pauses = asked.filter(({ action }) => action === 'pause');
  const ends = pauses.map(({ afterMs }): Asked => ({ action: 'resume', afterMs: afterMs + random.uniform() * 3000 }));
  return [...asked, ...ends].sort((a, b) => a.afterMs - b.afterMs);
}

export class Operator {
  readonly given: Given[] = [];
  readonly #cancels: (() => void)[] = [];
  readonly #simulation: Simulation;

  constructor(simulation: Simulation, give: (control: Control) => Promise<ControlReply>) {
    const { clock, random, trace } = simulation;
    this.#simulation = simulation;
    const draw = random('operator');
    drawControls(draw).forEach(({ afterMs, ...asked }, i) => {
      const control: Control = { ...asked, control: `${asked.action} ${i}` };
      let given: Given | undefined;
      const ask = (): void => {
        trace.add(`operator: ${JSON.stringify(control)}`);
        given ??= this.#note(control);
        const reply = give(control);
        given.replies.push(reply);
        void reply.then(({ step }) => {
          given!.step ??= step;
        });
      };
      this.#cancels.push(clock.laterExactly(ask, afterMs));
      if (draw.below(2) === 0) this.#cancels.push(clock.laterExactly(ask, afterMs + draw.uniform() * 2000));
    });
  }

  /** A coordinator starts, which is to be asked anew. */
  onStart(): void {
    for (const given of this.given) given.ignoredBy = 0;
  }

  /**
   * A step is done, after which controls take effect, unless some are still to be repeated after a restart.
   * @param running milliseconds since the coordinator started
   */
  onStep(done: number, running: number): void {
    const { clock, check } = this.#simulation;
    if (this.given.some(({ step = 0 }) => step >= done)) return;
    for (const given of this.given) {
      if (given.step !== undefined || Math.min(running, clock.now() - given.at) < SOON_MS) continue;
      check(++given.ignoredBy <= STEPS_TO_ANSWER, `${given.control.control} takes effect between two steps`);
    }
  }

  #note(control: Control): Given {
    const given: Given = { control, replies: [], at: this.#simulation.clock.now(), step: undefined, ignoredBy: 0 };
    this.given.push(given);
    return given;
  }

  leave(): void {
    for (const cancel of this.#cancels) cancel();
  }
}
