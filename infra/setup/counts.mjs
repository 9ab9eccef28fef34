// What `npm test` counts: each check as one, each test of vitest's JSON report as one.

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** @returns {Counts} */
export const countCheck = (isFine) => ({ passed: isFine ? 1 : 0, failed: isFine ? 0 : 1, skipped: 0 });

/**
 * @param {string | undefined} report vitest's JSON report; undefined where it wrote none
 * @param {number} code vitest's exit code: what fails outside of any test (a file that does not load, an unhandled error) counts
 *   as one failure
 * @returns {Counts}
 */
export function countTests(report, code) {
  if (report === undefined) return countCheck(false);
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(report);
  const broken = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((t) => t.status === 'failed'),
  ).length;
  const failed = numFailedTests + broken;
  return { passed: numPassedTests, failed: failed === 0 && code !== 0 ? 1 : failed, skipped: numPendingTests + numTodoTests };
}

/** @param {Counts[]} counts */
export function lastLine(counts) {
  const sum = (key) => counts.reduce((total, c) => total + c[key], 0);
  const skipped = sum('skipped');
  return `${sum('passed')} passed, ${sum('failed')} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}
