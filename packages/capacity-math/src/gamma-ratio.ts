import { continuedFraction } from './continued-fraction.ts'
import { transition, transitionMin } from './transition.ts'

/**
 * Both tails of the Poisson distribution in units of its term at n, for real n > -1 and x > 0. With P and Q the regularised
 * incomplete gamma functions and t = e^-x x^n / Γ(n+1):
 *
 *     below(n, x) = Q(n+1, x) / t      for x ≥ n + 1; also 1 / Erlang B
 *     above(n, x) = P(n+1, x) / t      for x < n + 1
 *
 * Each is the method that is both exact and short where it is used, so that no n costs more than a few hundred nanoseconds.
 */
export function below(n: number, x: number): number {
  if (n + 1 >= transitionMin) return x < 1.55 * (n + 1) ? transition(n + 1, x) : fraction(n, x)
  // R(n) = 1 + (n/x) R(n-1) adds positive terms only; between integers it starts from a continued fraction at the fraction.
  let j = n < 0 ? n : n - Math.floor(n)
  let ratio = j === 0 ? 1 : x >= 1 && x < 20 ? insideOut(j, x) : fraction(j, x)
  while (++j <= n) ratio = 1 + (j / x) * ratio
  return ratio
}

export function above(n: number, x: number): number {
  if (n + 1 >= transitionMin && x > 0.55 * (n + 1)) return transition(n + 1, x)
  // DLMF 8.11.4: x/(n+1) + x²/((n+1)(n+2)) + …
  let term = 1
  let sum = 0
  for (let j = n + 1; ; j++) {
    term *= x / j
    const next = sum + term
    if (next === sum) return sum
    sum = next
  }
}

/** x / (x-n + 1n / (x-n+2 + 2(n-1) / (x-n+4 + …))) (DLMF 8.9.2). */
function fraction(n: number, x: number): number {
  return x / continuedFraction(0, n + 1, -1, x - n, 2)
}

/** The same from its end, for n below 1 and x from 1 on, where so many terms are enough: the rounding of each fades in the next. */
function insideOut(n: number, x: number): number {
  let value = x
  for (let k = Math.ceil(100 / x) + 15; k >= 1; k--) value = x - n + 2 * (k - 1) + (k * (n + 1 - k)) / value
  return x / value
}
