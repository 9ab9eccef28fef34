import { expect, it } from 'vitest';
import { rankRecords } from './records.js';

const at = { step: 5, epoch: 1, time: 1.5 };

it('records what each rank did with its time, and the share of the exchange in all of it', () => {
  const fast = { computeMs: 20, packMs: 1, waitMs: 12, reduceMs: 2, unpackMs: 1, applyMs: 4 };
  const slow = { computeMs: 32, packMs: 1, waitMs: 0, reduceMs: 2, unpackMs: 1, applyMs: 4 };
  const records = rankRecords(at, 'plain', [fast, slow]);
  expect(records.every(({ step, epoch, model }) => step === 5 && epoch === 1 && model === 'plain')).toBe(true);
  const values = Object.fromEntries(records.map(({ name, value }) => [name, value]));
  expect(values).toEqual({
    'compute_ms/rank0': 20,
    'pack_ms/rank0': 1,
    'wait_ms/rank0': 12,
    'reduce_ms/rank0': 2,
    'unpack_ms/rank0': 1,
    'apply_ms/rank0': 4,
    'compute_ms/rank1': 32,
    'pack_ms/rank1': 1,
    'wait_ms/rank1': 0,
    'reduce_ms/rank1': 2,
    'unpack_ms/rank1': 1,
    'apply_ms/rank1': 4,
    // 16 + 4 of 40 + 40.
    'time/exchange_share': 25,
  });
});

it('counts parts that a step did not have as no time', () => {
  const values = rankRecords(at, 'resnet', [{ computeMs: 0 }]).map(({ value }) => value);
  expect(values).toEqual([0, 0, 0, 0, 0, 0, 0]);
});
