import { expect, test } from 'vitest';
import { TENSORFLOW_VERSION, type Variant, wheelSet } from './wheels.js';

const SUPPORTED: [string, Variant][] = [
  ['linux-x64', 'cpu'],
  ['linux-x64', 'gpu'],
  ['linux-arm64', 'cpu'],
  ['darwin-arm64', 'cpu'],
];

test.each(SUPPORTED)('%s has a pinned %s library', (platform, variant) => {
  const { wheels, platforms, unpackedMegabytes } = wheelSet(variant, platform)!;
  for (const { requirement, sha256, megabytes } of wheels) {
    expect(requirement).toMatch(/^[a-z0-9-]+==\d+(\.\d+)+$/);
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(megabytes).toBeGreaterThan(0);
  }
  expect(new Set(wheels.map((w) => w.sha256)).size).toBe(wheels.length);
  expect(wheels[0]!.requirement).toMatch(new RegExp(`^tensorflow(-cpu)?==${TENSORFLOW_VERSION}$`));
  expect(platforms.length).toBeGreaterThan(0);
  expect(unpackedMegabytes).toBeGreaterThan(wheels.reduce((sum, w) => sum + w.megabytes, 0));
});

test('platforms without wheels have no library', () => {
  expect(wheelSet('cpu', 'win32-x64')).toBeUndefined();
  expect(wheelSet('gpu', 'darwin-arm64')).toBeUndefined();
});
