// The exchange's contract as vitest tests, for any engine: what `Exchange` promises in ../contract.ts.
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { randomStream } from '../../random.js';
import type { Contribution, ExchangeLayout, ExchangeMemory, Wire } from '../contract.js';
import type { EngineUnderTest, GroupUnderTest, RankUnderTest } from './engine-under-test.js';
import { firstFault, randomContribution } from './oracle.js';

/** For what must not take as long: a hang fails by the runner's own limit. */
const PATIENT_MS = 120_000;
const WIRES: readonly Wire[] = ['fp32', 'bf16'];
const ONE_FLOAT: ExchangeLayout = { gradients: [1], exact: [] };

type Open = (ranks: number, layout?: ExchangeLayout, wire?: Wire) => Promise<GroupUnderTest>;

export function exchangeSuite(engine: EngineUnderTest): void {
  describe(`the exchange of ${engine.name}`, () => {
    let opened: GroupUnderTest[] = [];
    afterEach(async () => {
      for (const group of opened) await group.close();
      opened = [];
    });
    const keep = (group: GroupUnderTest): GroupUnderTest => {
      opened.push(group);
      return group;
    };
    const open: Open = async (ranks, layout = ONE_FLOAT, wire = 'fp32') =>
      keep(await engine.open({ wire, layouts: Array.from({ length: ranks }, () => layout) }));

    describe('the mean', () => meanTests(open));
    describe('any sizes and values', () => propertyTests(engine));
    describe('disagreement', () =>
      disagreementTests(open, async (layouts) => keep(await engine.open({ wire: 'fp32', layouts }))));
    describe('late ranks', () => latenessTests(open));
    describe('ends', () => endTests(open));
    test('200 ranks that are late at some time: every rank of the group fails, with the same words, and nothing hangs', () =>
      lateTrials(open));
  });
}

/** A contribution of gradients alone. */
const of = (examples: number, ...gradients: number[][]): Contribution => ({
  examples,
  gradients: gradients.map((values) => Float32Array.from(values)),
  exact: [],
});

const valuesOf = ({ gradients, exact }: ExchangeMemory): number[][] => [...gradients, ...exact].map((array) => Array.from(array));

function exchangeAll(
  { ranks }: GroupUnderTest,
  contributions: readonly Contribution[],
  { step = 0, inPlace = false } = {},
): Promise<ExchangeMemory[]> {
  return Promise.all(ranks.map((rank, r) => rank.exchange(contributions[r]!, { step, deadlineMs: PATIENT_MS, inPlace })));
}

function meanTests(open: Open): void {
  test('is weighted by examples', async () => {
    const group = await open(2);
    const means = await exchangeAll(group, [of(3, [1]), of(1, [5])]);
    expect(means.map(valuesOf)).toEqual([[[2]], [[2]]]);
  });

  test('of one rank alone is what it gave', async () => {
    const group = await open(1, { gradients: [3], exact: [] });
    const values = [0.1, Number.NaN, -1e30].map(Math.fround);
    expect((await exchangeAll(group, [of(7, values)])).map(valuesOf)).toEqual([[values]]);
  });

  test('does not look at the memory of a rank without examples, whichever it is', async () => {
    for (const idle of [0, 1, 2]) {
      const group = await open(3, { gradients: [2], exact: [1] });
      const contributions = [0, 1, 2].map((rank) => ({
        ...of(rank === idle ? 0 : 1, rank === idle ? [Number.NaN, Number.NaN] : [2, 4]),
        exact: [Float32Array.of(rank === idle ? Number.NaN : 6)],
      }));
      const means = await exchangeAll(group, contributions);
      expect(means.map(valuesOf)).toEqual(Array(3).fill([[2, 4], [6]]));
    }
  });

  test('may be written over the contribution', async () => {
    const layout = { gradients: [500, 3], exact: [70] };
    const contributions = [1, 2].map((seed) => randomContribution(layout, seed, seed, 0));
    const [apart, inPlace] = [await open(2, layout), await open(2, layout)];
    expect(await exchangeAll(inPlace, contributions, { inPlace: true })).toEqual(await exchangeAll(apart, contributions));
  });

  test('is new in every step', async () => {
    const group = await open(2, { gradients: [300], exact: [] });
    for (let step = 0; step < 12; step++) {
      const contributions = [step, 3 * step].map((value) => of(1, Array(300).fill(value)));
      const means = await exchangeAll(group, contributions, { step });
      expect(means.map(valuesOf)).toEqual(Array(2).fill([Array(300).fill(2 * step)]));
    }
  });

  test('rounds gradients, not exact arrays, to bfloat16 where that is the wire: on all ranks alike', async () => {
    const group = await open(2, { gradients: [2], exact: [1] }, 'bf16');
    const values = { examples: 1, gradients: [Float32Array.of(1 + 2 ** -9, 3)], exact: [Float32Array.of(1 + 2 ** -9)] };
    const means = await exchangeAll(group, [values, values]);
    expect(means.map(valuesOf)).toEqual(Array(2).fill([[1, 3], [1 + 2 ** -9]]));
  });

  test('of no examples at all is refused', async () => {
    const group = await open(2);
    const ends = await Promise.allSettled(exchangeEach(group, [of(0, [1]), of(0, [2])], 4));
    expect(reasonsOf(ends)).toEqual(Array(2).fill('no rank has examples at step 5'));
  });
}

/** Everything that a case of the property test is made from. */
const CASE = fc.record({
  wire: fc.constantFrom(...WIRES),
  examples: fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 8 }).filter((list) => list.some((n) => n > 0)),
  gradients: fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 4 }),
  exact: fc.array(fc.integer({ min: 0, max: 90 }), { maxLength: 2 }),
  steps: fc.integer({ min: 1, max: 3 }),
  seed: fc.nat(),
});
type Case = typeof CASE extends fc.Arbitrary<infer T> ? T : never;

function propertyTests(engine: EngineUnderTest): void {
  async function check({ wire, examples, gradients, exact, steps, seed }: Case): Promise<void> {
    const layout = { gradients, exact };
    const group = await engine.open({ wire, layouts: examples.map(() => layout) });
    try {
      for (let step = 0; step < steps; step++) {
        const contributions = examples.map((n, rank) => randomContribution(layout, n, seed + 10 * step + rank));
        const means = await exchangeAll(group, contributions, { step });
        for (const mean of means) expect(bytesOf(mean).equals(bytesOf(means[0]!))).toBe(true);
        expect(firstFault(contributions, { ...means[0]!, examples: 1 }, wire)).toBeUndefined();
      }
    } finally {
      await group.close();
    }
  }

  test('identical bytes on all ranks, and the mean to within rounding', async () => {
    await fc.assert(fc.asyncProperty(CASE, check), { numRuns: 100 });
  });

  test.each([
    [2, 1_000_000, 'fp32'],
    [2, 999_983, 'bf16'],
    [8, 100_003, 'fp32'],
    [5, 99_991, 'bf16'],
  ] as const)('the same for %i ranks with %i floats in %s', async (ranks, floats, wire) => {
    const examples = Array.from({ length: ranks }, (_, rank) => 10 + rank);
    await check({ wire, examples, gradients: [floats - 1, 1], exact: [3], steps: 1, seed: floats });
  });

  test('repeated exchanges of the same give the same bytes', async () => {
    const layout = { gradients: [5000], exact: [] };
    const contributions = [3, 4, 5].map((examples) => randomContribution(layout, examples, examples));
    const group = await engine.open({ wire: 'fp32', layouts: contributions.map(() => layout) });
    const [first] = await exchangeAll(group, contributions);
    for (let step = 1; step < 10; step++) {
      const [again] = await exchangeAll(group, contributions, { step });
      expect(bytesOf(again!).equals(bytesOf(first!))).toBe(true);
    }
    await group.close();
  });
}

const bytesOf = ({ gradients, exact }: ExchangeMemory): Buffer =>
  Buffer.concat(
    [...gradients, ...exact].map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
  );

type OpenUneven = (layouts: readonly ExchangeLayout[]) => Promise<GroupUnderTest>;

function disagreementTests(open: Open, openUneven: OpenUneven): void {
  test('ranks at different steps fail, and are told both', async () => {
    const group = await open(3);
    const ends = group.ranks.map((rank, r) => rank.exchange(of(1, [1]), { step: r === 2 ? 8 : 7, deadlineMs: PATIENT_MS }));
    expect(reasonsOf(await Promise.allSettled(ends))).toEqual(Array(3).fill('rank 0 is at step 8, rank 2 at step 9'));
  });

  test('ranks with different layouts fail, and are told both', async () => {
    const layouts = [
      { gradients: [2, 1], exact: [] },
      { gradients: [1, 2], exact: [] },
    ];
    const group = await openUneven(layouts);
    const ends = group.ranks.map((rank, r) =>
      rank.exchange(randomContribution(layouts[r]!, 1, 1), { step: 0, deadlineMs: PATIENT_MS }),
    );
    const reasons = reasonsOf(await Promise.allSettled(ends));
    expect(reasons[0]).toMatch(
      /^rank 0 exchanges 2\+0 arrays of 3\+0 floats \(\w+\), rank 1 2\+0 arrays of 3\+0 floats \(\w+\)$/,
    );
    expect(reasons[1]).toBe(reasons[0]);
  });

  test.each([
    ['an array of another length', of(1, [1, 2]), 'rank 1 gives gradients[0] of 2 floats: its layout says 1'],
    ['more arrays', of(1, [1], [2]), 'rank 1 gives 2 gradients: its layout says 1'],
    ['examples that are no number', of(Number.NaN, [1]), 'rank 1 says it has NaN examples'],
  ])('what was not agreed on fails all ranks, and is named: %s', async (_, contribution, reason) => {
    const group = await open(2);
    expect(reasonsOf(await Promise.allSettled(exchangeEach(group, [of(1, [1]), contribution])))).toEqual([reason, reason]);
  });
}

/** The same step of all ranks, or of the first few. */
const exchangeEach = ({ ranks }: GroupUnderTest, contributions: readonly Contribution[], step = 0, deadlineMs = PATIENT_MS) =>
  contributions.map((contribution, r) => ranks[r]!.exchange(contribution, { step, deadlineMs }));

/** Why each failed; a call that did not is "fulfilled". Only ExchangeAborted is a reason. */
const reasonsOf = (ends: readonly PromiseSettledResult<unknown>[]): string[] =>
  ends.map((end) => {
    if (end.status === 'fulfilled') return end.status;
    const { name, message } = end.reason as Error;
    return name === 'ExchangeAborted' ? message : `${name}: ${message}`;
  });

function latenessTests(open: Open): void {
  test('one that is late is named with the step and the time waited: by all, itself too', async () => {
    const group = await open(3);
    const [first, second, late] = group.ranks as [RankUnderTest, RankUnderTest, RankUnderTest];
    const call = { step: 4, deadlineMs: 100 };
    const ends = await Promise.allSettled([
      first.exchange(of(1, [1]), call),
      second.exchange(of(1, [1]), { ...call, deadlineMs: PATIENT_MS }),
    ]);
    const reason = 'rank 2 is late at step 5: waited 0.1 s for it';
    expect(reasonsOf(ends)).toEqual([reason, reason]);
    expect(reasonsOf(await Promise.allSettled([late.exchange(of(1, [1]), call)]))).toEqual([reason]);
    expect(reasonsOf(await Promise.allSettled([first.barrier(100)]))).toEqual([reason]);
  });

  test('several that are late are all named', async () => {
    const group = await open(4);
    const ends = await Promise.allSettled([group.ranks[1]!.exchange(of(1, [1]), { step: 0, deadlineMs: 50 })]);
    expect(reasonsOf(ends)).toEqual(['ranks 0, 2, 3 are late at step 1: waited 0.05 s for them']);
  });

  test('one that was ended without a word is late', async () => {
    const group = await open(3);
    await exchangeAll(group, [of(1, [1]), of(1, [1]), of(1, [1])]);
    await group.ranks[0]!.kill();
    const others = [1, 2].map((rank) => group.ranks[rank]!.exchange(of(1, [1]), { step: 1, deadlineMs: rank * 100 }));
    expect(reasonsOf(await Promise.allSettled(others))).toEqual(Array(2).fill('rank 0 is late at step 2: waited 0.1 s for it'));
  });

  test('one that is ended while it waits does not keep the others from failing', async () => {
    const group = await open(3);
    const killed = group.ranks[1]!.exchange(of(1, [1]), { step: 0, deadlineMs: PATIENT_MS });
    killed.catch(() => {});
    await group.ranks[1]!.kill();
    const ends = await Promise.allSettled([group.ranks[2]!.exchange(of(1, [1]), { step: 0, deadlineMs: 50 })]);
    expect(reasonsOf(ends)[0]).toMatch(/^ranks? 0(, 1)? (is|are) late at step 1: waited 0.05 s for (it|them)$/);
  });

  test('a barrier that not all reach in time fails those that did', async () => {
    const group = await open(2);
    expect(reasonsOf(await Promise.allSettled([group.ranks[0]!.barrier(50)]))).toEqual([
      'rank 1 is late at a barrier: waited 0.05 s for it',
    ]);
  });
}

function endTests(open: Open): void {
  test('a barrier is passed by all or by nobody', async () => {
    const group = await open(4);
    for (let i = 0; i < 20; i++) await Promise.all(group.ranks.map((rank) => rank.barrier(PATIENT_MS)));
    let passed = 0;
    const waiting = group.ranks.slice(1).map((rank) => rank.barrier(PATIENT_MS).then(() => passed++));
    expect(passed).toBe(0);
    await group.ranks[0]!.barrier(PATIENT_MS);
    await Promise.all(waiting);
  });

  test('an abort from outside ends the waits of all ranks, with its reason; a later one changes nothing', async () => {
    const group = await open(3);
    const waiting = Promise.allSettled(exchangeEach(group, [of(1, [1]), of(1, [1])]));
    group.abort('the run was stopped: «früh»');
    group.abort('too late');
    expect(reasonsOf(await waiting)).toEqual(Array(2).fill('the run was stopped: «früh»'));
    expect(reasonsOf(await Promise.allSettled([group.ranks[2]!.barrier(1)]))).toEqual(['the run was stopped: «früh»']);
  });

  test('an abort by one rank ends the waits of the others', async () => {
    const group = await open(3);
    const waiting = Promise.allSettled(exchangeEach(group, [of(1, [1]), of(1, [1])]));
    await group.ranks[2]!.abort('the loss is not a number');
    expect(reasonsOf(await waiting)).toEqual(Array(2).fill('the loss is not a number'));
  });

  test('a rank that closes is missed at once, not at the deadline; closing twice is closing', async () => {
    const group = await open(3);
    const waiting = Promise.allSettled(exchangeEach(group, [of(1, [1]), of(1, [1])]));
    await group.ranks[2]!.close();
    await group.ranks[2]!.close();
    expect(reasonsOf(await waiting)).toEqual(Array(2).fill('rank 2 has left the group'));
  });

  test('ranks that close after the last exchange disturb nobody that still unpacks it', async () => {
    for (let i = 0; i < 30; i++) {
      const group = await open(4, { gradients: [2000], exact: [] });
      const values = Array(2000).fill(i);
      const means = await Promise.all(
        group.ranks.map(async (rank) => {
          const mean = rank.exchange(of(1, values), { step: 0, deadlineMs: PATIENT_MS });
          // Asked for while the exchange runs, carried out as soon as it ends.
          await rank.close();
          return mean;
        }),
      );
      for (const mean of means) expect(valuesOf(mean)).toEqual([values]);
      await group.close();
    }
  });
}

async function lateTrials(open: Open): Promise<void> {
  const random = randomStream(1, 'late-trials');
  for (let trial = 0; trial < 200; trial++) {
    const ranks = 2 + random.below(3);
    const late = random.below(ranks);
    const layout = { gradients: [random.below(400)], exact: [] };
    const group = await open(ranks, layout, WIRES[trial % 2]);
    const contribution = randomContribution(layout, 1, trial);
    const before = random.below(3);
    for (let step = 0; step < before; step++)
      await Promise.all(group.ranks.map((rank) => rank.exchange(contribution, { step, deadlineMs: PATIENT_MS })));
    const punctual = group.ranks.filter((_, rank) => rank !== late);
    const call = { step: before, deadlineMs: 1 + random.below(8) };
    const reasons = reasonsOf(await Promise.allSettled(punctual.map((rank) => rank.exchange(contribution, call))));
    reasons.push(...reasonsOf(await Promise.allSettled([group.ranks[late]!.exchange(contribution, call)])));
    expect(new Set(reasons).size).toBe(1);
    // On a busy machine others may be late as well.
    expect(reasons[0]).toMatch(new RegExp(`^ranks? ([0-9], )*${late}(, [0-9])* (is|are) late at step ${before + 1}: waited`));
    await group.close();
  }
}
