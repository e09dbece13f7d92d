import { expect, test } from 'vitest';
import { countTests, readCounts } from '../../scripts/test-counts.ts';

/** A report of files, each as its own status and the statuses of its tests. */
function check(files: readonly string[], exitCode: number, want: readonly [number, number, number]): void {
  const testResults = files.map((file) => {
    const [status = '', ...tests] = file.split(' ');
    return { status, assertionResults: tests.map((one) => ({ status: one })) };
  });
  const [passed, failed, skipped] = want;
  expect(countTests({ testResults }, exitCode)).toEqual({ passed, failed, skipped });
}

test.each<[string, string[], number, [number, number, number]]>([
  ['no tests', [], 0, [0, 0, 0]],
  ['all passed', ['passed passed passed', 'passed passed'], 0, [3, 0, 0]],
  ['some failed', ['failed passed failed failed', 'passed passed'], 1, [2, 2, 0]],
  ['some left out', ['passed passed pending todo skipped'], 0, [1, 0, 3]],
  ['a file that does not load', ['failed', 'passed passed'], 1, [1, 1, 0]],
  ['a hook that fails', ['failed skipped skipped'], 1, [0, 1, 2]],
  ['an error outside the tests', ['passed passed'], 1, [1, 1, 0]],
])('%s', (_, files, exitCode, want) => check(files, exitCode, want));

test.each([0, 1])('a missing report is a failure, with exit code %d', (exitCode) => {
  expect(readCounts('no/such/report.json', exitCode)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});
