import { describe, expect, it } from 'vitest';
import { EventLog } from './event-log.js';

function logOf(entries: number, keep: number): EventLog<number> {
  const log = new EventLog<number>({ keep });
  for (let i = 0; i < entries; i++) log.append(i);
  return log;
}

describe('what was told', () => {
  it('is there from any place that is not too far behind, all of it', () => {
    const log = logOf(25, 10);
    for (let next = 15; next <= 25; next++)
      expect(log.since({ epoch: 0, next })!.map(({ number, entry }) => [number, entry])).toEqual(
        Array.from({ length: 25 - next }, (_, i) => [next + i, next + i]),
      );
    expect(log.since({ epoch: 0, next: 3 })).toBeUndefined();
  });

  it('is never there in part: a place that never was has nothing', () => {
    const log = logOf(3, 10);
    expect(log.since({ epoch: 0, next: 4 })).toBeUndefined();
    expect(log.since({ epoch: 1, next: 0 })).toBeUndefined();
    expect(log.since(log.place)).toEqual([]);
  });

  it('begins anew with each epoch, which no reader of the one before can go on to', () => {
    const log = logOf(3, 10);
    const before = log.place;
    log.beginEpoch();
    expect(log.append(7)).toEqual({ epoch: 1, number: 0, entry: 7 });
    expect(log.since(before)).toBeUndefined();
    expect(log.since({ epoch: 1, next: 0 })).toEqual([{ epoch: 1, number: 0, entry: 7 }]);
  });
});
