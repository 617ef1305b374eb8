import { checkNumber } from './checks.ts'
import { cryptoRandom, type Random } from './random.ts'

/** The pause before attempt `attempt` (1 is the first repetition), in milliseconds. */
export type Backoff = (attempt: number) => number

/**
 * Exponential growth with full jitter: uniform between 0 and `min(delayMaxMs, delayMinMs * 2^(attempt-1))`.
 * Full jitter spreads callers that failed together (M. Brooker, "Exponential backoff and jitter", 2015).
 */
export function exponentialBackoff(
  options: { readonly delayMinMs?: number; readonly delayMaxMs?: number; readonly random?: Random } = {},
): Backoff {
  const { delayMinMs = 20, delayMaxMs = 5_000, random = cryptoRandom } = options
  checkNumber('delayMinMs', delayMinMs, { min: 0 })
  checkNumber('delayMaxMs', delayMaxMs, { min: delayMinMs })
  return (attempt) => random.next() * Math.min(delayMaxMs, delayMinMs * 2 ** (attempt - 1))
}
