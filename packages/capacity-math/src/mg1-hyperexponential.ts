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
  const gap = fast - slow
  // Residues over the rate. (r1 - s)(r2 - s) is λ (p (r2 - s) + (1-p)(r1 - s)) at a root s.
  const response = (s: number) => (slack * (p * r1 * (r2 - s) + (1 - p) * r2 * (r1 - s))) / s / gap
  const wait = (s: number) => (slack * lambda * (p * (r2 - s) + (1 - p) * (r1 - s))) / s / gap
  const [waitSlow, waitFast] = [wait(slow), -wait(fast)]
  const [respSlow, respFast] = [response(slow), -response(fast)]
  const L = lambda * (Wq + mean)
  const number = (n: number) =>
    respSlow * Math.exp(-(n + 1) * Math.log1p(slow / lambda)) +
    respFast * Math.exp(-(n + 1) * Math.log1p(fast / lambda))
  return {
    wait: distribution({
      kind: 'exact',
      mean: Wq,
      variance: varWq,
      above0: lambda * mean,
      sf: (t) => waitSlow * Math.exp(-slow * t) + waitFast * Math.exp(-fast * t),
    }),
    response: distribution({
      kind: 'exact',
      mean: Wq + mean,
      variance: varWq + scv * mean * mean,
      above0: 1,
      sf: (t) => Math.min(1, respSlow * Math.exp(-slow * t) + respFast * Math.exp(-fast * t)),
    }),
    population: population({
      kind: 'exact',
      mean: L,
      pn: (n) => (n === 0 ? slack : number(n - 1) - number(n)),
      sf: number,
    }),
  }
}
