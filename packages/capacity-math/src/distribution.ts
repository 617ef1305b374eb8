import { checkNumber, checkProbability, magnitudeMax } from './checks.ts'
import { integralToInfinity } from './quadrature.ts'
import type { Kind } from './queue.ts'
import { zeroBetween } from './zero.ts'

/** A time as a random quantity, in seconds; never negative. */
export interface Distribution {
  /** What its values are; the moments of an approximation may still be exact. */
  readonly kind: Kind
  readonly mean: number
  readonly variance: number
  /** P(T = 0): the share that does not wait at all. */
  readonly atomAtZero: number
  /** P(T ≤ t). @param t seconds, from 0 to 1e100. */
  cdf(t: number): number
  /** P(T > t), with full relative accuracy in the tail. @param t seconds, from 0 to 1e100. */
  sf(t: number): number
  /** The smallest t with P(T ≤ t) ≥ p: `quantile(0.99)` is the p99. @param p above 0 and below 1. */
  quantile(p: number): number
  /** The smallest t with P(T > t) ≤ q: the quantile from the side of the tail, for a `q` as small as 1e-300. */
  isf(q: number): number
}

/** What a model knows of a time; what it leaves out is worked out from the tail. */
export interface DistributionParts {
  readonly kind: Kind
  readonly mean: number
  /** Integrated from the tail, when it is asked for, where no formula is given. */
  readonly variance?: number
  /** P(T > 0). */
  readonly above0: number
  readonly sf: (t: number) => number
  readonly cdf?: (t: number) => number
  readonly isf?: (q: number) => number
}

export function distribution(parts: DistributionParts): Distribution {
  const { kind, mean, above0, sf, cdf = (t: number) => 1 - sf(t) } = parts
  const isf = parts.isf ?? ((q: number) => (q >= above0 ? 0 : inverseTail(sf, q, mean)))
  return {
    kind,
    mean,
    get variance() {
      return parts.variance ?? 2 * integralToInfinity((t) => t * sf(t), mean) - mean * mean
    },
    atomAtZero: 1 - above0,
    cdf(t) {
      checkTime(t)
      return cdf(t)
    },
    sf(t) {
      checkTime(t)
      return sf(t)
    },
    quantile(p) {
      checkProbability('p', p)
      return isf(1 - p)
    },
    isf(q) {
      checkProbability('q', q)
      return isf(q)
    },
  }
}

/** The t with sf(t) = q for a tail that falls from above q at 0; `scale` is where to look first. */
export function inverseTail(sf: (t: number) => number, q: number, scale: number): number {
  const target = Math.log(q)
  // Tails fall like exponentials, so that their logarithms are nearly straight lines. ln 0 is cut off.
  const excess = (t: number) => Math.max(Math.log(sf(t)), -1e4) - target
  let low = 0
  let high = scale > 0 ? scale : 1 / magnitudeMax
  while (excess(high) > 0) {
    low = high
    high *= 2
  }
  return zeroBetween(excess, low, high)
}

function checkTime(t: number): void {
  checkNumber('t', t, 0, magnitudeMax)
}
