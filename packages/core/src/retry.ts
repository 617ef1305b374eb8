import { type Backoff, exponentialBackoff } from './backoff.ts'
import { checkInteger } from './checks.ts'
import { type Clock, systemClock } from './clock.ts'
import { isHeadraceError, throwIfAborted } from './errors.ts'

/**
 * Runs `work` until it succeeds, at most `attempts` times. Between two attempts it waits for the backoff, or for the
 * `retryAfterMs` of the error when that is longer.
 * @param options.retryIf which failures are worth another attempt; by default the errors that are `retryable`.
 * @throws HeadraceError `ABORTED` in the turn in which `signal` aborts, also while it waits; else the last failure, as it was.
 */
export async function retry<T>(
  work: (attempt: number) => Promise<T>,
  options: {
    readonly attempts?: number
    readonly backoff?: Backoff
    readonly retryIf?: (error: unknown) => boolean
    readonly clock?: Clock
    readonly signal?: AbortSignal | undefined
  } = {},
): Promise<T> {
  const { attempts = 5, backoff = exponentialBackoff(), clock = systemClock, signal } = options
  const { retryIf = (error) => isHeadraceError(error) && error.retryable } = options
  checkInteger('attempts', attempts, { min: 1 })
  for (let attempt = 1; ; attempt++) {
    throwIfAborted(signal, 'the retry')
    try {
      return await work(attempt)
    } catch (error) {
      if (attempt === attempts || !retryIf(error)) throw error
      const hintMs = (isHeadraceError(error) && error.retryAfterMs) || 0
      await clock.sleep(Math.max(hintMs, backoff(attempt)), signal)
    }
  }
}
