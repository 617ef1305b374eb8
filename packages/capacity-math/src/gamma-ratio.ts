/**
 * Both tails of the Poisson distribution in units of its term at n, for real n ≥ 0 and x > 0. With P and Q the regularised
 * incomplete gamma functions and t = e^-x x^n / Γ(n+1):
 *
 *     below(n, x) = Q(n+1, x) / t = x ∫ exp((n+1)v - x(e^v - 1)) dv      for x ≥ n + 1, v from 0 to ∞
 *     above(n, x) = P(n+1, x) / t = x ∫ exp(-(n+1)v + x(1 - e^-v)) dv    for x < n + 1
 *
 * (DLMF 8.2.1 and 8.2.2, substituted t = x e^±v.) `below` is also 1 / Erlang B. On its own side of n + 1 each integrand
 * falls monotonically from 1, so that one quadrature serves every n, whole or not, small or 10^15, at the same cost.
 */
export function below(n: number, x: number): number {
  return x * integral(x - n - 1, x, 1)
}

export function above(n: number, x: number): number {
  return x * integral(n + 1 - x, x, -1)
}

/** ∫ exp(-slope v - x h(sign v)) dv over v > 0, where h(v) = e^v - 1 - v: both exponents above, free of cancellation. */
function integral(slope: number, x: number, sign: number): number {
  const scale = 1 / (slope + Math.sqrt(x))
  let sum = 0
  for (const [node, weight] of nodes) {
    const v = scale * node
    sum += weight * Math.exp(-slope * v - x * exponentialRest(sign * v))
  }
  return scale * sum
}

/** e^v - 1 - v */
function exponentialRest(v: number): number {
  if (Math.abs(v) > 0.5) return Math.expm1(v) - v
  let sum = 0
  for (let j = 15; j >= 3; j--) sum = (v / j) * (1 + sum)
  return (v * v * (1 + sum)) / 2
}

// Trapezoid rule in s after v = exp(s - e^-s): the double-exponential formula for integrands that fall like an exponential
// (Takahasi & Mori, "Double exponential formulas for numerical integration", 1974).
const nodes: readonly (readonly [number, number])[] = /* @__PURE__ */ doubleExponential(1 / 16, -4, 4.5)

function doubleExponential(step: number, from: number, to: number): [number, number][] {
  const list: [number, number][] = []
  for (let s = from; s <= to; s += step) {
    const node = Math.exp(s - Math.exp(-s))
    list.push([node, step * node * (1 + Math.exp(-s))])
  }
  return list
}
