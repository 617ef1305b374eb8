import { checkInteger, checkNumber, checkProbability, magnitudeMax } from './checks.ts'
import { poissonLogCdf, poissonLogSf } from './poisson.ts'
import { logPoissonTerm } from './saddle-point.ts'
import { zeroBetween } from './zero.ts'

/** Bounds of a rate, in events per second. */
export interface RateInterval {
  readonly lower: number
  readonly upper: number
}

export interface Observed {
  /** Events that were counted, an integer from 0. */
  readonly count: number
  /** Seconds of watching, above 0. */
  readonly exposure: number
  /** How sure the interval is to hold the rate, above 0 and below 1, such as 0.95. */
  readonly confidence: number
}

/**
 * The exact interval of a Poisson rate from one count, looked at once (F. Garwood, "Fiducial limits for the Poisson
 * distribution", 1936): each bound is the rate at which a count so extreme has probability (1 - confidence) / 2.
 */
export function poissonRate(observed: Observed): RateInterval {
  checkObserved(observed)
  const { count, exposure, confidence } = observed
  const target = Math.log((1 - confidence) / 2)
  return { lower: lowest(count, target) / exposure, upper: highest(count, target) / exposure }
}

function lowest(count: number, target: number): number {
  if (count === 0) return 0
  // P(X ≥ n) ≤ x^n / n! gives a first bound.
  const from = Math.exp((target + logFactorial(count)) / count)
  return zeroBetween((x) => poissonLogSf(count - 1, x) - target, from * (1 - 1e-9), count)
}

function highest(count: number, target: number): number {
  // Chernoff's bound of the Poisson tail.
  const to = count + 1 - target + Math.sqrt(target * target - 2 * (count + 1) * target)
  return zeroBetween((x) => poissonLogCdf(count, x) - target, count, to)
}

/**
 * An interval of a Poisson rate that holds at all times at once: one may look at every event and stop when one likes, and it is
 * still wrong with probability 1 - confidence at most. It is the set of rates λ at which the gamma mixture of likelihood ratios
 * E = b^a Γ(a+n) / (Γ(a) (b+T)^(a+n)) λ^-n e^λT stays below 1 / (1 - confidence) (J. Ville, 1939; H. Robbins, 1970).
 * @param observed.expected a rate to be near to, chosen before the first event; a bad one only widens the interval.
 */
export function poissonRateAnytime(observed: Observed & { readonly expected: number }): RateInterval {
  checkObserved(observed)
  const { count, exposure, confidence, expected } = observed
  checkNumber('expected', expected, 1 / magnitudeMax, magnitudeMax)
  // With a = 1, b = 1 / expected, x = λ T and r = T / b: ln E = ln n! - n ln x + x - n ln(1 + 1/r) - ln(1 + r).
  const r = expected * exposure
  const level = -Math.log1p(-confidence)
  const constant = logFactorial(count) - count * Math.log1p(1 / r) - Math.log1p(r)
  const excess = (x: number) => constant + x - (count === 0 ? 0 : count * Math.log(x)) - level
  const best = Math.max(count, Number.MIN_VALUE)
  let high = count + 1
  while (excess(high) < 0) high *= 2
  const lower = count === 0 ? 0 : zeroBetween(excess, Math.exp((constant - level) / count) / 2, best)
  return { lower: lower / exposure, upper: zeroBetween(excess, best, high) / exposure }
}

function logFactorial(n: number): number {
  return n === 0 ? 0 : n * Math.log(n) - n - logPoissonTerm(n, n)
}

function checkObserved({ count, exposure, confidence }: Observed): void {
  checkInteger('count', count, 0)
  checkNumber('exposure', exposure, 1 / magnitudeMax, magnitudeMax)
  checkProbability('confidence', confidence)
}
