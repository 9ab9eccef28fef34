// Random numbers that depend on nothing but a seed and labels: the same on every platform, in any order of use.

/** A stream of random numbers. */
export interface RandomStream {
  /** Uniform in [0, 2^32). */
  uint32(): number;
  /** Uniform in [0, 1), with 32 random bits. */
  uniform(): number;
  /** Uniform integer in [0, n), without bias; n in 1..2^32. */
  below(n: number): number;
  /** Normal with mean 0 and deviation 1 (Box and Muller 1958). */
  normal(): number;
}

/** The finalizer of MurmurHash3 (Appleby): every input bit changes every output bit. */
function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const fold = (hash: number, word: number): number => mix((Math.imul(hash, 31) + word + 0x9e3779b9) | 0);

function hashLabels(seed: number, labels: readonly (string | number)[]): number {
  let hash = fold(fold(0x7261, seed >>> 0), Math.floor(seed / 2 ** 32));
  for (const label of labels) {
    if (typeof label === 'number') hash = fold(fold(hash, 1), label);
    else for (const code of Buffer.from(`${label}\0`)) hash = fold(hash, code);
  }
  return hash;
}

/**
 * The stream of a seed (a non-negative safe integer) and labels, such as ('layer1.0.conv1.weight') or ('order', epoch).
 * The generator is sfc32 (Doty-Humphrey, PractRand): 128 bits of state, passes BigCrush.
 *
 * @example randomStream(42, 'order', 3).below(10)
 */
export function randomStream(seed: number, ...labels: (string | number)[]): RandomStream {
  const hash = hashLabels(seed, labels);
  let a = fold(hash, 1);
  let b = fold(hash, 2);
  let c = fold(hash, 3);
  let counter = 1;
  const uint32 = (): number => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) uint32();
  const uniform = (): number => uint32() / 2 ** 32;
  let spare: number | undefined;
  return { uint32, uniform, below: (n) => below(uint32, n), normal };

  function normal(): number {
    if (spare !== undefined) {
      const value = spare;
      spare = undefined;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log((uint32() + 1) / 2 ** 32));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }
}

/** Rejects the few values that would make some results likelier than others. */
function below(uint32: () => number, n: number): number {
  const limit = 2 ** 32 - (2 ** 32 % n);
  let value = uint32();
  while (value >= limit) value = uint32();
  return value % n;
}
