import { type Backoff, exponentialBackoff } from './backoff.ts'
import { checkInteger, checkNumber } from './checks.ts'
import { type Clock, systemClock } from './clock.ts'
import { isHeadraceError, throwIfAborted } from './errors.ts'

/**
 * Runs `work` until it succeeds, at most `attempts` times, 5 by default. Between two attempts it waits for the backoff,
 * or for the `retryAfterMs` of the error when that is longer.
 *
 * `signal` ends a pause in the turn in which it aborts, and no attempt begins after it. An attempt under way is waited
 * for, since it may have acquired something: give it the signal and a limit of its own, as with `within`.
 * @param options.retryIf which failures are worth another attempt; by default the errors that are `retryable`.
 * @param options.retryAfterMaxMs a failure that asks for a longer pause is thrown at once; 60 s by default.
 * @throws HeadraceError `ABORTED` when `signal` ended it; else the last failure, as it was.
 */
export async function retry<T>(
  work: (attempt: number) => Promise<T>,
  options: {
    readonly attempts?: number
    readonly backoff?: Backoff
    readonly retryIf?: (error: unknown) => boolean
    readonly retryAfterMaxMs?: number
    readonly clock?: Clock
    readonly signal?: AbortSignal | undefined
  } = {},
): Promise<T> {
  const {
    attempts = 5,
    retryAfterMaxMs = 60_000,
    backoff = exponentialBackoff(),
    clock = systemClock,
    signal,
  } = options
  const { retryIf = (error) => isHeadraceError(error) && error.retryable } = options
  checkInteger('attempts', attempts, { min: 1 })
  checkNumber('retryAfterMaxMs', retryAfterMaxMs, { min: 0 })
  for (let attempt = 1; ; attempt++) {
    throwIfAborted(signal, 'the retry')
    try {
      return await work(attempt)
    } catch (error) {
      if (attempt === attempts || !retryIf(error)) throw error
      const hintMs = (isHeadraceError(error) && error.retryAfterMs) || 0
      if (hintMs > retryAfterMaxMs) throw error
      await clock.sleep(Math.max(hintMs, backoff(attempt)), signal)
    }
  }
}
