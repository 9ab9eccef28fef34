// Linear scales with round ticks.

export interface Scale {
  /** Position of a value. */
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
  /** A tick's text, with as many digits as the ticks' distance needs. */
  readonly label: (tick: number) => string;
}

export interface ScaleOptions {
  /** Values to be shown. */
  readonly domain: readonly [low: number, high: number];
  /** Positions of the domain's ends. */
  readonly range: readonly [start: number, end: number];
  /** About how many steps between ticks; the distance is 1, 2 or 5 times a power of ten. */
  readonly steps: number;
  /** Widens the domain to whole steps. */
  readonly nice?: boolean;
  readonly wholeNumbers?: boolean;
}

export function linearScale({ domain, range, steps, nice = false, wholeNumbers = false }: ScaleOptions): Scale {
  let [low, high] = domain;
  if (!(high > low)) [low, high] = [low - 0.5, low + 0.5];
  const step = Math.max(roundStep((high - low) / steps), wholeNumbers ? 1 : 0);
  if (nice) [low, high] = [Math.floor(low / step) * step, Math.ceil(high / step) * step];
  const ticks: number[] = [];
  // Counted, not summed up, so that 0.1 + 0.2 does not add a tick. The slack takes rounding in; + 0 turns -0 into 0.
  for (let tick = Math.ceil(low / step - 1e-9); tick * step <= high + step * 1e-9; tick++) ticks.push(tick * step + 0);
  const [start, end] = range;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return {
    at: (value) => start + ((value - low) / (high - low)) * (end - start),
    ticks,
    label: (tick) => (Math.abs(tick) < step / 2 ? '0' : tick.toFixed(digits).replace('-', '−')),
  };
}

function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = rough / power;
  return power * (factor <= 1 ? 1 : factor <= 2 ? 2 : factor <= 5 ? 5 : 10);
}
