import { EventEmitter } from 'node:events';
import { expect, test, vi } from 'vitest';
import { exitCodeOf, onSignals } from './signals.js';

function setUp() {
  const source = Object.assign(new EventEmitter(), { exit: vi.fn() });
  const handlers = { onStop: vi.fn(), onCheckpoint: vi.fn() };
  return { source, ...handlers, unsubscribe: onSignals(handlers, source) };
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('the first %s asks to stop, the second ends at once with %i', (signal, code) => {
  const { source, onStop } = setUp();
  source.emit(signal);
  expect(onStop.mock.calls).toEqual([[signal]]);
  expect(source.exit).not.toHaveBeenCalled();
  source.emit(signal);
  expect(onStop).toHaveBeenCalledTimes(1);
  expect(source.exit.mock.calls).toEqual([[code]]);
  expect(exitCodeOf(signal)).toBe(code);
});

test('SIGUSR2 asks for a checkpoint, again and again', () => {
  const { source, onStop, onCheckpoint } = setUp();
  source.emit('SIGUSR2');
  source.emit('SIGUSR2');
  expect(onCheckpoint).toHaveBeenCalledTimes(2);
  expect(onStop).not.toHaveBeenCalled();
});

test('nothing listens once it is called off', () => {
  const { source, unsubscribe } = setUp();
  expect(source.eventNames()).toEqual(['SIGINT', 'SIGTERM', 'SIGUSR2']);
  unsubscribe();
  expect(source.eventNames()).toEqual([]);
});
