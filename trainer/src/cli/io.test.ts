import { expect, test } from 'vitest';
import { processIo } from './io.js';

const failure = (code: string): Error => Object.assign(new Error(code), { code });

test('a reader that goes away is no error; a full disk is', () => {
  const { stdout, stderr } = process;
  const before = stdout.listenerCount('error');
  processIo({});
  processIo({});
  expect(stdout.listenerCount('error')).toBe(before + 1);
  expect(() => stdout.emit('error', failure('EPIPE'))).not.toThrow();
  expect(() => stderr.emit('error', failure('EPIPE'))).not.toThrow();
  expect(() => stdout.emit('error', failure('ENOSPC'))).toThrow('ENOSPC');
});
