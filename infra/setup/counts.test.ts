import { expect, test } from 'vitest';
import { countCheck, countTests, lastLine } from './counts.mjs';

const report = (
  numbers: Partial<Record<'Passed' | 'Failed' | 'Pending' | 'Todo', number>>,
  testResults: unknown[] = [],
): string =>
  JSON.stringify({
    numPassedTests: numbers.Passed ?? 0,
    numFailedTests: numbers.Failed ?? 0,
    numPendingTests: numbers.Pending ?? 0,
    numTodoTests: numbers.Todo ?? 0,
    testResults,
  });

test('the last line adds checks and tests, and tells skipped ones only where there are any', () => {
  expect(lastLine([countCheck(true), countCheck(false), countTests(report({ Passed: 7 }), 0)])).toBe('8 passed, 1 failed');
  expect(lastLine([countTests(report({ Passed: 7, Failed: 2, Pending: 2, Todo: 1 }), 1)])).toBe('7 passed, 2 failed, 3 skipped');
});

test('a test file that does not load is a failure, and one with a failed test is not counted twice', () => {
  const unloadable = { status: 'failed', assertionResults: [] };
  const failing = { status: 'failed', assertionResults: [{ status: 'failed' }] };
  expect(countTests(report({ Passed: 3, Failed: 1 }, [unloadable, failing]), 1)).toEqual({ passed: 3, failed: 2, skipped: 0 });
});

test('a run that fails outside of its tests, or leaves no report, is a failure', () => {
  expect(countTests(report({ Passed: 3 }), 1)).toEqual({ passed: 3, failed: 1, skipped: 0 });
  expect(countTests(undefined, 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});
