import { expect, it } from 'vitest';
import type { ReplyMessage, RequestMessage } from '../link/requests.js';
import { randomStream } from '../random.js';
import { testConfig } from '../report/test-config.js';
import { simulatedChannelPair } from '../simulation/channels.js';
import { SimulatedClock } from '../simulation/clock.js';
import { Trace } from '../simulation/trace.js';
import type { RankBody, RankCall, RankLog } from '../worker/rank-protocol.js';
import { Ranks } from './ranks.js';

type Answer = (
  rank: number,
  body: RankBody,
) => { readonly afterMs: number; readonly reply?: unknown; readonly error?: string } | undefined;

/** Ranks that answer as told; no answer at all where that is undefined. */
function group(ranks: number, answer: Answer) {
  const clock = new SimulatedClock();
  const aborted: string[] = [];
  const channels = Array.from({ length: ranks }, (_, rank) => {
    const { a, b } = simulatedChannelPair<RequestMessage<RankBody>, ReplyMessage<unknown> | RankLog>({
      clock,
      random: randomStream(1, 'line', String(rank)),
      trace: new Trace(clock),
      faults: { delayMs: [0, 0] },
      names: ['coordinator', `rank ${rank}`],
    });
    b.onMessage(({ id, body }) => {
      const given = answer(rank, body);
      if (!given) return;
      const { afterMs, reply = null, error } = given;
      clock.later(
        () =>
          void b.send(
            error === undefined ? { type: 'reply', id, body: reply } : { type: 'failure', id, error: { message: error } },
          ),
        afterMs,
      );
    });
    return a;
  });
  const connect = () => ({ groups: { gradients: {} }, abort: (reason: string) => void aborted.push(reason) });
  return { clock, aborted, ranks: new Ranks({ channels, clock, connect, deadline: null, onLog: () => undefined }) };
}

/** Lets a call come to its end, however long that takes. */
async function ended<T>(clock: SimulatedClock, call: Promise<T>): Promise<T | Error> {
  let result: T | Error | undefined;
  void call.then(
    (value) => (result = value),
    (error: Error) => (result = error),
  );
  for (let i = 0; i < 10_000 && result === undefined; i++) await clock.advance(100);
  return result!;
}

const STEP = { step: 6, lr: 0.1, norms: false, compiles: false };
const side = (stepMs: number, rank: number) => ({ side: 'resnet', loss: 2, correct: 3, stepMs, times: { computeMs: rank } });
const stepReply = (stepMs: number, rank = 0) => ({ sides: [side(stepMs, rank)], input: { fillMs: rank, waitMs: 0 } });

it('takes the slowest rank for the length of a step, and keeps the times of each', async () => {
  const { clock, ranks } = group(3, (rank) => ({ afterMs: 10, reply: stepReply(10 * rank, rank) }));
  expect(await ended(clock, ranks.step(STEP))).toEqual({
    sides: [{ ...side(20, 0), times: [{ computeMs: 0 }, { computeMs: 1 }, { computeMs: 2 }] }],
    input: { fillMs: 0, waitMs: 0 },
  });
});

it('adds up what ranks score of their parts', async () => {
  const { clock, ranks } = group(2, (rank) => ({ afterMs: 1, reply: { loss: 1 + rank, correct: 5 } }));
  const sums = ranks.score({ side: 'plain', set: 'test', start: 0, count: 10 });
  expect(await ended(clock, sums)).toEqual({ loss: 3, correct: 10 });
});

it('names the rank that does not answer, and ends the exchange of the others', async () => {
  const { clock, aborted, ranks } = group(2, (rank, { call }) =>
    rank === 1 && call === 'step' ? undefined : { afterMs: 1, reply: stepReply(1) },
  );
  await ended(clock, ranks.build({ config: testConfig(), classes: [], train: {} as never, test: {} as never }));
  const error = await ended(clock, ranks.step(STEP));
  expect(error).toMatchObject({ name: 'RankFailure', message: expect.stringMatching(/^rank 1 is frozen: .* 15 s.*\(step 7\)$/) });
  expect(aborted[0]).toContain('not all ranks were done within 15 s');
});

it('waits for a step ten times as long as the usual one, but for the first of a shape as long as compiling may take', async () => {
  const lengths = [60_000, 4000, 4000, 4000, 39_000, 42_000];
  const { clock, ranks } = group(1, (_, { request }) => {
    const { step } = request as { step: number };
    return { afterMs: lengths[step]!, reply: stepReply(1) };
  });
  const results: unknown[] = [];
  for (let step = 0; step < lengths.length; step++)
    results.push(await ended(clock, ranks.step({ ...STEP, step, compiles: step === 0 })));
  expect(results.map((result) => result instanceof Error)).toEqual([false, false, false, false, false, true]);
});

it('tells a failure by its first cause, not by those that it made fail too', async () => {
  const { clock, aborted, ranks } = group(2, (rank, { call }) => {
    if (call !== 'step') return { afterMs: 1 };
    return rank === 0 ? { afterMs: 5, error: 'the exchange was ended: something' } : { afterMs: 6, error: 'out of memory' };
  });
  await ended(clock, ranks.build({ config: testConfig(), classes: [], train: {} as never, test: {} as never }));
  expect(await ended(clock, ranks.step(STEP))).toMatchObject({ message: 'rank 1 failed: out of memory (step 7)' });
  expect(aborted).not.toEqual([]);
});

it.each<[string, Record<string, string>, string | undefined]>([
  ['the same', { 'resnet value of fc.bias': 'x', 'plain velocity of conv1.weight': 'y' }, undefined],
  ['not the same', { 'resnet value of fc.bias': 'x', 'plain velocity of conv1.weight': 'z' }, 'plain velocity of conv1.weight'],
])('compares weights: %s', async (_, second, name) => {
  const first = { 'resnet value of fc.bias': 'x', 'plain velocity of conv1.weight': 'y' };
  const call: RankCall = 'digest';
  const { clock, ranks } = group(3, (rank, body) => ({ afterMs: 1, reply: body.call === call && rank === 2 ? second : first }));
  const result = await ended(
    clock,
    ranks.verify(40).then(() => 'fine'),
  );
  if (name === undefined) expect(result).toBe('fine');
  else
    expect(result).toMatchObject({
      name: 'RankFailure',
      message: `after step 40 rank 2 does not hold the weights of rank 0: they differ in ${name}`,
    });
});
