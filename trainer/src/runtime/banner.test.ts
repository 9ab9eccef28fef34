import { fstatSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withoutBanner } from './banner.js';

const STDERR = 2;
const NOWHERE = statSync('/dev/null').rdev;

test('stderr points nowhere during the call and is itself again after it', () => {
  const before = fstatSync(STDERR);
  const during = withoutBanner(() => fstatSync(STDERR).rdev);
  expect(during).toBe(NOWHERE);
  expect(fstatSync(STDERR)).toMatchObject({ dev: before.dev, ino: before.ino });
});

test('stderr is itself again after a call that throws', () => {
  const before = fstatSync(STDERR);
  expect(() =>
    withoutBanner(() => {
      throw new Error('cannot load');
    }),
  ).toThrow('cannot load');
  expect(fstatSync(STDERR)).toMatchObject({ dev: before.dev, ino: before.ino });
});
