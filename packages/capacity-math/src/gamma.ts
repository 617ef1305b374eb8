import { above, below } from './gamma-ratio.ts'
import { poissonTerm } from './saddle-point.ts'

/** P(a, x), the regularised lower incomplete gamma function, for a > 0 and x ≥ 0 (DLMF 8.2.4). */
export function lowerGamma(a: number, x: number): number {
  if (x === 0) return 0
  return x < a + 1 ? poissonTerm(a, x) * (1 + above(a, x)) : 1 - upperGamma(a, x)
}

/** Q(a, x) = 1 - P(a, x), with full relative accuracy in the tail. */
export function upperGamma(a: number, x: number): number {
  if (x < a + 1) return 1 - lowerGamma(a, x)
  return poissonTerm(a, x) * (a / x) * below(a - 1, x)
}
