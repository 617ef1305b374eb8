import { continuedFraction } from './continued-fraction.ts'
import { above, below } from './gamma-ratio.ts'
import { logPoissonTerm, poissonTerm } from './saddle-point.ts'

/**
 * What Erlang A needs of the incomplete gamma function. With s = cμ/θ and x = λ/θ the states above c are p(c+j) =
 * p(c) x^j / ((s+1)…(s+j)), and the wait of one that never gives up has the density λ p(c-1) e^(x(1 - e^-θt) - cμt)
 * (Mandelbaum & Zeltyn 2007): its tail is a ratio of incomplete gamma functions at y = x e^-θt.
 */
export interface Patience {
  /** c μ / θ */
  readonly s: number
  /** λ / θ */
  readonly x: number
}

/** Σ x^j / ((s+1)…(s+j)) over j ≥ 1; Infinity where it overflows under heavy overload. */
export function sumAbove({ s, x }: Patience): number {
  return x < s + 1 ? above(s, x) : 1 / poissonTerm(s, x) - below(s, x)
}

/** Σ j x^j / ((s+1)…(s+j)), which is x - (s - x) U with U = `sum`. */
export function weightedSumAbove({ s, x }: Patience, sum: number): number {
  const distance = s - x
  if (distance <= 3 * Math.sqrt(s)) return x - distance * sum
  // U is the continued fraction x / (d+1+E) with E = x / (d+2 + 2x / (d+3 + …)) and d = s - x (DLMF 8.9.1), all positive.
  return sum * (1 + x / continuedFraction(x, x, 0, distance + 2, 1))
}

/** P(s, y) / P(s, x) for y = x e^-v: the share of those that wait whose offered wait is longer than v / θ. */
export function lowerRatio({ s, x }: Patience, v: number): number {
  const y = x * Math.exp(-v)
  if (x < s + 1) return decay(s, x, v) * ((1 + above(s, y)) / (1 + above(s, x)))
  return lower({ s, x: y }) / lower({ s, x })
}

/** (P(s+1, x) - P(s+1, y)) / P(s, x) for y = x e^-v, from whichever tails are small. */
export function servedRatio({ s, x }: Patience, v: number): number {
  const y = x * Math.exp(-v)
  if (x < s + 1) {
    const sum = above(s, x)
    return (sum - decay(s, x, v) * above(s, y)) / (1 + sum)
  }
  if (y < s + 1) return (1 - poissonTerm(s, x) * below(s, x) - poissonTerm(s, y) * above(s, y)) / lower({ s, x })
  return (poissonTerm(s, y) * below(s, y) - poissonTerm(s, x) * below(s, x)) / lower({ s, x })
}

/** ln(P(s, x) / t) with t = e^-x x^s / Γ(s+1). */
export function logLower({ s, x }: Patience): number {
  if (x < s + 1) return Math.log1p(above(s, x))
  return Math.log(lower({ s, x })) - logPoissonTerm(s, x)
}

/** P(s, x), which is P(s+1, x) + t. */
export function lower({ s, x }: Patience): number {
  const term = poissonTerm(s, x)
  return x < s + 1 ? term * (1 + above(s, x)) : 1 - term * (below(s, x) - 1)
}

/** (y/x)^s e^(x-y) for y = x e^-v */
export function decay(s: number, x: number, v: number): number {
  return Math.exp(-s * v - x * Math.expm1(-v))
}
