import { checkNumber } from './checks.ts'
import { cryptoRandom, type Random } from './random.ts'

/** The pause before attempt `attempt` (1 is the first repetition), in milliseconds. */
export type Backoff = (attempt: number) => number

/**
 * Exponential growth with full jitter: uniform between 0 and `min(delayMaxMs, delayMinMs * 2^(attempt-1))`, by default
 * from 20 ms up to 5 s (or to `delayMinMs`, where that is longer).
 * Full jitter spreads callers that failed together (M. Brooker, "Exponential backoff and jitter", 2015).
 */
export function exponentialBackoff(
  options: { readonly delayMinMs?: number; readonly delayMaxMs?: number; readonly random?: Random } = {},
): Backoff {
  const { delayMinMs = 20, delayMaxMs = Math.max(5_000, delayMinMs), random = cryptoRandom } = options
  checkNumber('delayMinMs', delayMinMs, { min: 0 })
  checkNumber('delayMaxMs', delayMaxMs, { min: delayMinMs })
  // 2 ** 1024 is Infinity, and a delayMinMs of 0 times that would be NaN.
  return (attempt) => random.next() * Math.min(delayMaxMs, delayMinMs * 2 ** Math.min(attempt - 1, 1_023))
}
