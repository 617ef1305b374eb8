import { checkInteger, checkNumber, countMax } from './checks.ts'
import { above, below } from './gamma-ratio.ts'
import { logPoissonTerm, poissonTerm } from './saddle-point.ts'

/**
 * P(X = k) of the Poisson distribution with mean `lambda`: e^-λ λ^k / k!, in saddle-point form (C. Loader, 2000).
 * @param k an integer from 0 to 2^53 - 1.
 * @param lambda the mean, from 0 to 2^53 - 1; a rate times a duration.
 * @throws RangeError or TypeError naming the parameter, like every function here.
 */
export function poissonPmf(k: number, lambda: number): number {
  checkArguments(k, lambda)
  if (lambda === 0) return k === 0 ? 1 : 0
  return poissonTerm(k, lambda)
}

/** ln P(X = k), for what {@link poissonPmf} rounds to 0. `lambda` must be 1e-300 or more. */
export function poissonLogPmf(k: number, lambda: number): number {
  checkArguments(k, lambda, logarithmMin)
  return logPoissonTerm(k, lambda)
}

/** P(X ≤ k) = Q(k+1, λ), the regularised upper incomplete gamma function (DLMF 8.4.10). */
export function poissonCdf(k: number, lambda: number): number {
  checkArguments(k, lambda)
  if (lambda === 0) return 1
  return lambda >= k + 1 ? lowerTail(k, lambda) : 1 - upperTail(k, lambda)
}

/** P(X > k), strictly above: the tail, with full relative accuracy also where {@link poissonCdf} is 1. */
export function poissonSf(k: number, lambda: number): number {
  checkArguments(k, lambda)
  if (lambda === 0) return 0
  return lambda >= k + 1 ? 1 - lowerTail(k, lambda) : upperTail(k, lambda)
}

/** ln P(X ≤ k), finite far beyond where {@link poissonCdf} underflows. */
export function poissonLogCdf(k: number, lambda: number): number {
  checkArguments(k, lambda)
  if (lambda === 0) return 0
  if (lambda < k + 1) return Math.log1p(-upperTail(k, lambda))
  return logPoissonTerm(k, lambda) + Math.log(below(k, lambda))
}

/** ln P(X > k), finite far beyond where {@link poissonSf} underflows. `lambda` must be 1e-300 or more. */
export function poissonLogSf(k: number, lambda: number): number {
  checkArguments(k, lambda, logarithmMin)
  if (lambda >= k + 1) return Math.log1p(-lowerTail(k, lambda))
  return logPoissonTerm(k, lambda) + Math.log(above(k, lambda))
}

function lowerTail(k: number, lambda: number): number {
  return poissonTerm(k, lambda) * below(k, lambda)
}

function upperTail(k: number, lambda: number): number {
  return poissonTerm(k, lambda) * above(k, lambda)
}

function checkArguments(k: number, lambda: number, lambdaMin = 0): void {
  checkInteger('k', k, 0)
  checkNumber('lambda', lambda, lambdaMin, countMax)
}

/** Closer to 0 the terms are, and their logarithms minus infinity. */
const logarithmMin = 1e-300
