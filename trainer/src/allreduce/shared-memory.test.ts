import { GRADIENT_PAYLOAD_OFFSET } from '@trainer/protocol';
import { Unpackr } from 'msgpackr';
import { afterAll, describe, expect, test } from 'vitest';
import { exchangeSuite } from './conformance/exchange-suite.js';
import { threadedEngine } from './conformance/threads.js';
import type { ExchangeLayout } from './contract.js';
import { createGroup, joinGroup } from './shared-memory.js';

/** Several buckets for a few hundred floats; whole gradients in one. */
const [small, large] = [threadedEngine(64), threadedEngine(262_144)];
afterAll(() => Promise.all([small.stop(), large.stop()]));

exchangeSuite(small);
exchangeSuite(large);

const HEX_OF_STEP = Buffer.from('de000aa473746570', 'hex');

/** Frames as they lie in the shared memory, after an exchange of two ranks: their places and bytes. */
async function framesOf(wire: 'fp32' | 'bf16', payloadBytes: number) {
  const layout: ExchangeLayout = { gradients: [3], exact: [] };
  const group = await large.openGroup({ wire, layouts: [layout, layout] });
  await Promise.all(
    group.ranks.map((rank, r) =>
      rank.exchange(
        { examples: 3 ** r, gradients: [Float32Array.of(1, -2, 0.5 + 3 * r)], exact: [] },
        { step: 41, deadlineMs: 60_000 },
      ),
    ),
  );
  const memory = Buffer.from(group.group.memory.buffer as unknown as ArrayBuffer);
  await group.close();
  const first = memory.indexOf(HEX_OF_STEP);
  const places = [first, memory.indexOf(HEX_OF_STEP, first + 1)];
  return places.map((at) => ({ at, bytes: Buffer.from(memory.subarray(at, at + GRADIENT_PAYLOAD_OFFSET + payloadBytes)) }));
}

describe('frames in the shared memory', () => {
  test.each([
    ['fp32', '0000803f000000c000006040', 'c60000000c', 12],
    ['bf16', '803f00c06040', 'c90000000610', 6],
  ] as const)(
    'in %s are MessagePack: a map, and the numbers on a cache line of their own',
    async (wire, payload, head, bytes) => {
      const frames = await framesOf(wire, bytes);
      const header = { version: 1, step: 41, wire, floats: 3, bucket: 0, buckets: 1, pad: expect.anything() };
      const layout = expect.stringMatching(/^1\+0 arrays of 3\+0 floats \([0-9a-f]{8}\)$/);
      const unpackr = new Unpackr({ useRecords: false });
      for (const [rank, frame] of frames.entries()) {
        expect((frame.at + GRADIENT_PAYLOAD_OFFSET) % 64).toBe(0);
        expect(unpackr.unpackMultiple(frame.bytes)[0]).toEqual({ ...header, rank, examples: 3 ** rank, layout });
        expect(frame.bytes.subarray(0, GRADIENT_PAYLOAD_OFFSET).toString('hex').endsWith(head)).toBe(true);
      }
      // What rank 1 gave, and in the frame of rank 0 the mean: (0.5 + 3 * 3.5) / 4 = 2.75.
      const numbers = frames.map(({ bytes: whole }) => whole.subarray(GRADIENT_PAYLOAD_OFFSET).toString('hex'));
      expect(numbers).toEqual([wire === 'fp32' ? '0000803f000000c000003040' : '803f00c03040', payload]);
    },
  );
});

describe('a group', () => {
  test.each([0, 33, 1.5])('of %s ranks is refused', (ranks) => {
    expect(() => createGroup({ ranks, wire: 'fp32' })).toThrow(`a group has 1 to 32 ranks, not ${ranks}`);
  });

  test.each([-1, 2, 0.5])('of 2 has no rank %s', (rank) => {
    const group = createGroup({ ranks: 2, wire: 'fp32' });
    expect(() => joinGroup(group, rank, { gradients: [], exact: [] })).toThrow(`a group of 2 has no rank ${rank}`);
  });

  test('takes memory by its buckets, not by the model', () => {
    const bytes = (wire: 'fp32' | 'bf16') => createGroup({ ranks: 4, wire }).memory.buffer.byteLength;
    expect([bytes('fp32') / 2 ** 20, bytes('bf16') / 2 ** 20].every((mebibytes) => mebibytes < 21)).toBe(true);
  });
});

test('arrays may be views into the middle of other memory', async () => {
  const exchange = joinGroup(createGroup({ ranks: 1, wire: 'fp32' }), 0, { gradients: [2], exact: [1] });
  const given = Float32Array.of(1, 2, 3, 4);
  const taken = new Float32Array(5);
  const times = await exchange.exchange(
    { examples: 1, gradients: [given.subarray(1, 3)], exact: [given.subarray(3)] },
    { gradients: [taken.subarray(2, 4)], exact: [taken.subarray(0, 1)] },
    { step: 0, deadlineMs: 1000 },
  );
  expect(Array.from(taken)).toEqual([4, 0, 2, 3, 0]);
  expect(Object.keys(times)).toEqual(['packMs', 'waitMs', 'reduceMs', 'unpackMs']);
  for (const ms of Object.values(times)) expect(ms).toBeGreaterThanOrEqual(0);
});
