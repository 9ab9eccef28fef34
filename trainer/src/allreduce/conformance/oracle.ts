// What an exchange must come to, in float64: the mean, and how far from it rounding may lead.
import { randomStream } from '../../random.js';
import type { Contribution, ExchangeLayout, Wire } from '../contract.js';

/** The error that one operation may make, relative to its result: generous for float32, half the spacing for bfloat16. */
const EPS = { fp32: 2 ** -23, bf16: 2 ** -8 } as const;

/** Values of many magnitudes, none so small that its precision is less; now and then one that is no finite number. */
export function randomContribution(layout: ExchangeLayout, examples: number, seed: number, strange = 0.01): Contribution {
  const random = randomStream(seed, 'exchange', 0);
  const array = (floats: number): Float32Array =>
    Float32Array.from({ length: floats }, () => {
      if (random.uniform() < strange)
        return [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0][random.below(4)]!;
      return (random.uniform() - 0.5) * 10 ** (random.below(20) - 10);
    });
  // Without examples whatever is there means nothing.
  if (examples === 0) {
    const nothing = (floats: number) => new Float32Array(floats).fill(Number.NaN);
    return { examples, gradients: layout.gradients.map(nothing), exact: layout.exact.map(nothing) };
  }
  return { examples, gradients: layout.gradients.map(array), exact: layout.exact.map(array) };
}

/** The first number that is further from the mean than rounding explains, in words; undefined where there is none. */
export function firstFault(contributions: readonly Contribution[], mean: Contribution, wire: Wire): string | undefined {
  const total = contributions.reduce((sum, { examples }) => sum + examples, 0);
  for (const part of ['gradients', 'exact'] as const) {
    const eps = EPS[part === 'exact' ? 'fp32' : wire];
    for (const [array, values] of mean[part].entries()) {
      for (const [i, value] of values.entries()) {
        let exact = 0;
        let magnitude = 0;
        for (const { examples, [part]: arrays } of contributions) {
          if (examples === 0) continue;
          exact += (arrays[array]![i]! * examples) / total;
          magnitude += (Math.abs(arrays[array]![i]!) * examples) / total;
        }
        const bound = contributions.length * eps * magnitude;
        const right = Number.isFinite(exact) ? Math.abs(value - exact) <= bound : Object.is(value, exact);
        if (!right) return `${part}[${array}][${i}] is ${value}, not ${exact} +- ${bound}`;
      }
    }
  }
  return undefined;
}
