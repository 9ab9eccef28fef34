// What goes wrong with one coordinator and its ranks.
import type { RandomStream } from '../../random.js';
import type { FakeFault } from '../../worker/fake/options.js';

export type Trouble =
  /** Killed; its main thread stuck for ever; its line to the supervisor cut. */
  | { readonly what: 'kill' | 'freeze' | 'sever'; readonly afterMs: number }
  /** Killed so long after it said something of a kind for the n-th time. */
  | { readonly what: 'kill after'; readonly said: Said; readonly times: number; readonly afterMs: number }
  /** A rank's thread ends; its line is cut. */
  | { readonly what: 'end rank' | 'sever rank'; readonly rank: number; readonly afterMs: number }
  | { readonly what: 'device'; readonly fault: FakeFault };

/** Moments at which something is said that must not be lost, or not be done twice. */
const SAID = ['create', 'reopen', 'summarize', 'finish', 'done', 'reply', 'commit', 'checkpoint', 'epoch', 'step'] as const;
const ONCE: ReadonlySet<string> = new Set(['create', 'reopen', 'finish', 'done']);
export type Said = (typeof SAID)[number];

/** So many troubles, on the average, has a coordinator; most have none or one. */
const OFTEN = 0.55;
/** Steps of a run. */
const STEPS = 20;

/** Those of one coordinator. Only those that end it; a slow device, which does not, is told of by `slowOf`. */
export function troubleOf(
  random: RandomStream,
  { ranks, runMs }: { readonly ranks: number; readonly runMs: number },
): Trouble | undefined {
  if (random.uniform() > OFTEN) return undefined;
  const rank = random.below(ranks);
  // Early ones are as interesting as all others together.
  const afterMs = random.uniform() ** 2 * runMs;
  const pick = random.below(10);
  if (pick > 7) {
    const said = SAID[random.below(SAID.length)]!;
    return { what: 'kill after', said, times: ONCE.has(said) ? 1 : 1 + random.below(3), afterMs: random.uniform() ** 2 * 300 };
  }
  if (pick < 3) return { what: 'kill', afterMs };
  if (pick === 3) return { what: random.below(2) === 0 ? 'freeze' : 'sever', afterMs };
  if (pick === 4) return { what: random.below(2) === 0 ? 'end rank' : 'sever rank', rank, afterMs };
  return { what: 'device', fault: faultOf(random, rank, ranks) };
}

function faultOf(random: RandomStream, rank: number, ranks: number): FakeFault {
  const at = { rank, step: 1 + random.below(STEPS) };
  switch (random.below(ranks > 1 ? 6 : 5)) {
    case 0:
      return { ...at, do: 'throw', phase: 'snapshot' };
    case 1:
      return { ...at, do: 'throw', phase: random.below(2) === 0 ? 'gradients' : 'apply' };
    case 2:
      return { ...at, do: 'freeze-js', phase: 'evaluate' };
    case 3:
    case 4:
      return { ...at, do: 'freeze-js', phase: random.below(2) === 0 ? 'gradients' : 'apply' };
    default:
      // One rank's weights go astray from the others'.
      return { ...at, do: 'corrupt', phase: 'apply' };
  }
}

/** A rank that takes long over a step now and then, but not too long. */
export const slowOf = (random: RandomStream, ranks: number): FakeFault[] =>
  Array.from({ length: random.below(3) }, () => ({
    do: 'slow',
    ms: random.below(6000),
    rank: random.below(ranks),
    step: 1 + random.below(STEPS),
    phase: 'gradients',
  }));
