export interface Counts {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

/** A check that has no parts: it passed or it failed. */
export function one(ok: boolean): Counts {
  return { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 }
}

export function sum(all: readonly Counts[]): Counts {
  return {
    passed: all.reduce((n, { passed }) => n + passed, 0),
    failed: all.reduce((n, { failed }) => n + failed, 0),
    skipped: all.reduce((n, { skipped }) => n + skipped, 0),
  }
}

/** `N passed, N failed`, and what was skipped where something was. */
export function sentence({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}

/** What the counts need of the report that vitest writes with its reporter `json`. */
interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly {
    readonly status: string
    readonly assertionResults: readonly { readonly status: string }[]
  }[]
}

/**
 * The tests of one run. A file that did not load, or whose set-up failed, has no failed test and counts as one; so does
 * a run that failed in any other way: on an error outside of the tests, or without leaving a report.
 * @param report the content of the report, or undefined where there is none.
 * @param ok whether the run ended with success.
 */
export function testCounts(report: string | undefined, ok: boolean): Counts {
  if (report === undefined) return one(false)
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(report) as Report
  const brokenFiles = testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && assertionResults.every((assertion) => assertion.status !== 'failed'),
  )
  const failed = numFailedTests + brokenFiles.length
  return { passed: numPassedTests, failed: ok ? failed : Math.max(1, failed), skipped: numPendingTests + numTodoTests }
}
