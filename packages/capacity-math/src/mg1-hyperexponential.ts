import { distribution } from './distribution.ts'
import type { Mg1Moments, Mg1Shape } from './mg1.ts'
import { population } from './population.ts'

/**
 * M/H2/1: wait and response are mixtures of two exponentials whose rates are the roots of s² - (r1 + r2 - λ) s + r1 r2 (1 - ρ) = 0,
 * from the transform of Pollaczek and Khinchine; the number in the system is that mixture of geometrics.
 */
export function hyperexponentialService(
  queue: Mg1Moments,
  service: { readonly p: number; readonly mean1: number; readonly mean2: number },
): Mg1Shape {
  const { lambda, mean, slack, Wq, varWq, scv } = queue
  const { p } = service
  const [r1, r2] = [1 / service.mean1, 1 / service.mean2]
  const half = (r1 + r2 - lambda) / 2
  const product = r1 * r2 * slack
  // (r1 - λ p - (r2 - λ (1-p)))² / 4 + λ² p (1-p): a sum where the usual discriminant is a difference.
  const fast = half + Math.sqrt(((r1 - r2 - lambda * (2 * p - 1)) / 2) ** 2 + lambda * lambda * p * (1 - p))
  const slow = product / fast
  // Residues over the rate are (a / s - b) / gap. (r1 - s)(r2 - s) is λ (p (r2 - s) + (1-p)(r1 - s)) at a root s.
  const wait = mixture({ slow, fast, a: slack * lambda * (p * r2 + (1 - p) * r1), b: slack * lambda })
  const response = mixture({ slow, fast, a: slack * r1 * r2, b: slack * (p * r1 + (1 - p) * r2) })
  const L = lambda * (Wq + mean)
  // Each exponential of the response is a geometric number of arrivals.
  const number = (n: number) => {
    const [atSlow, step] = [Math.exp(-(n + 1) * Math.log1p(slow / lambda)), (n + 1) / (lambda + slow)]
    return response(atSlow, (n + 1) * Math.log1p((fast - slow) / (lambda + slow)), step)
  }
  const inTime = (weighted: typeof wait) => (t: number) => weighted(Math.exp(-slow * t), (fast - slow) * t, t)
  return {
    wait: distribution({
      kind: 'exact',
      mean: Wq,
      variance: varWq,
      above0: lambda * mean,
      sf: inTime(wait),
    }),
    response: distribution({
      kind: 'exact',
      mean: Wq + mean,
      variance: varWq + scv * mean * mean,
      above0: 1,
      sf: (t) => Math.min(1, inTime(response)(t)),
    }),
    population: population({
      kind: 'exact',
      mean: L,
      pn: (n) => (n === 0 ? slack : number(n - 1) - number(n)),
      sf: number,
    }),
  }
}

/**
 * ((a / slow - b) g - (a / fast - b) g e^-d) / gap for a function g of the slower rate that is g e^-d of the faster one, and d / gap near
 * `step` where the two rates are nearly one.
 */
function mixture(of: {
  slow: number
  fast: number
  a: number
  b: number
}): (g: number, d: number, step: number) => number {
  const { slow, fast, a, b } = of
  const gap = fast - slow
  if (gap > 1e-3 * fast) return (g, d) => (g * (a / slow - b + (b - a / fast) * Math.exp(-d))) / gap
  return (g, d, step) => g * (a / slow / fast + (a / fast - b) * (d > 0 ? (-Math.expm1(-d) / d) * step : step))
}
