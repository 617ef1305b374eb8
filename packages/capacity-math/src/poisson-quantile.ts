import { checkNumber, checkProbability, countMax } from './checks.ts'
import { roughNormalIsf } from './normal.ts'
import { poissonCdf, poissonSf } from './poisson.ts'
import { smallestInteger } from './smallest-integer.ts'

/**
 * The smallest k with P(X ≤ k) ≥ `p`: how many arrivals to expect at most, with probability `p`.
 * @param p above 0 and below 1. @param lambda the mean, from 0 to 1e15.
 */
export function poissonQuantile(p: number, lambda: number): number {
  checkProbability('p', p)
  // Above one half 1 - p is exact, and the small tail is compared with full relative accuracy.
  if (p > 0.5) return poissonIsf(1 - p, lambda)
  checkMean(lambda)
  return smallestInteger((k) => poissonCdf(k, lambda) >= p, 0, guess(lambda, -roughNormalIsf(p)))
}

/**
 * The smallest k with P(X > k) ≤ `q`: the quantile from the side of the tail, for a `q` as small as 1e-300.
 * @param q above 0 and below 1. @param lambda the mean, from 0 to 1e15.
 */
export function poissonIsf(q: number, lambda: number): number {
  checkProbability('q', q)
  if (q > 0.5) return poissonQuantile(1 - q, lambda)
  checkMean(lambda)
  return smallestInteger((k) => poissonSf(k, lambda) <= q, 0, guess(lambda, roughNormalIsf(q)))
}

// The quantile of a larger mean could leave the integers that are exact.
function checkMean(lambda: number): void {
  checkNumber('lambda', lambda, 0, Math.min(1e15, countMax))
}

/** Cornish and Fisher's expansion to the second term (1938); a start for the search, not an answer. */
function guess(lambda: number, z: number): number {
  return lambda + z * Math.sqrt(lambda) + (z * z - 1) / 6
}
