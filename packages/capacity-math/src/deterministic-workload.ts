import { poissonSf } from './poisson.ts'
import { logDefect, poissonTerm } from './saddle-point.ts'
import { zeroBetween } from './zero.ts'

/**
 * Work in units of one service time that Poisson arrivals bring to a server with constant service, where ρ is the load and may
 * exceed 1. G(y) is the solution of G' = ρ (G(y) - G(y-1)) with G(0) = 1; below saturation (1 - ρ) G(y) is P(wait ≤ y) in
 * M/D/1 (A. K. Erlang, 1909), and in a system with room for b it gives the loss (O. Brun & J.-M. Garcia, 2000).
 */
export interface Workload {
  /** G(y); Infinity where it overflows above saturation. */
  g(y: number): number
  /** 1 - (1 - ρ) G(y): below saturation the tail of the wait, with full relative accuracy. */
  tail(y: number): number
  /** π(n): the probability of n in the system, in units of that of 0. */
  state(n: number): number
  /** P(N > n); only below saturation. */
  above(n: number): number
}

// From here on all but the largest pole of the transform are below 2^-53 of it.
const far = 30

/** @param rho above 0. @param slack 1 - ρ, given apart because near saturation it has digits that ρ has lost. */
export function deterministicWorkload(rho: number, slack: number): Workload {
  // π(m) e^-ρ = P(A ≥ m) π(0) + Σ P(A > m-k) π(k) over 0 < k < m, with A the arrivals during a service: what enters the states
  // from m on leaves them again. Erlang's own series alternates and loses all digits from y = 25.
  const states = [1]
  const sums = [1]
  const exceeds: number[] = []
  const extend = (n: number) => {
    while (exceeds.length <= Math.min(n, 4 * far)) exceeds.push(poissonSf(exceeds.length, rho))
    for (let m = states.length; m <= n; m++) {
      let inflow = exceeds[m - 1] ?? 0
      for (let k = Math.max(1, m - exceeds.length + 1); k < m; k++) inflow += exceeds[m - k]! * states[k]!
      states.push(inflow * Math.exp(rho))
      sums.push(sums[m - 1]! + states[m]!)
    }
  }
  const zeta = decayRoot(rho, slack)
  const factor = slack === 0 ? 1 : slack / (rho * zeta - slack)
  const pole = (y: number) => factor * Math.exp(-rho * zeta * y)
  // (1 - C e^-E) / slack with C the factor and E = ρ ζ y. Near saturation 1 - C is (ρζ - 2 slack) / (ρζ - slack), of which the upper
  // part is ζ²/6 to the first order, and at it G is 2y + 2/3.
  const farG = (y: number) => {
    if (slack === 0) return 2 * y + 2 / 3
    if (Math.abs(zeta) > 0.1) return (1 - pole(y)) / slack
    const rest = cubicDefect(zeta)
    const upper = rest + (2 * rest) / zeta - (zeta * zeta) / 2
    return (upper / slack - Math.expm1(-rho * zeta * y)) / (rho * zeta - slack)
  }
  const state = (n: number) => {
    extend(Math.min(n, 2 * far))
    return states[n] ?? states[2 * far]! * Math.exp((2 * far - n) * Math.log1p(zeta))
  }
  const above = (n: number): number => {
    if (n >= 2 * far) return (slack * state(n)) / zeta
    let sum = (slack * state(2 * far)) / zeta
    for (let k = 2 * far; k > n; k--) sum += slack * state(k)
    return sum
  }
  /** Σ over arrivals in the rest u of the unit that y is in: Poisson(j; ρ u) × value(floor(y) - j). */
  const spread = (y: number, value: (m: number) => number) => {
    const m = Math.floor(y)
    const rest = rho * (m + 1 - y)
    let sum = 0
    for (let j = 0; j <= m; j++) {
      const term = poissonTerm(j, rest) * value(m - j)
      sum += term
      if (j > rest && term < sum * 2 ** -60) break
    }
    return sum
  }
  const g = (y: number) => {
    if (y >= far) return farG(y)
    extend(Math.floor(y) + 1)
    return spread(y, (m) => sums[m + 1]!)
  }
  return {
    g,
    state,
    above,
    tail(y) {
      if (y >= far) return pole(y)
      const plain = 1 - slack * g(y)
      if (plain > 0.5 || slack <= 0) return plain
      const m = Math.floor(y)
      return spread(y, (k) => above(k + 1)) + poissonSf(m, rho * (m + 1 - y))
    },
  }
}

/** ln(1+ζ) - ζ + ζ²/2, for a small ζ. */
function cubicDefect(zeta: number): number {
  let sum = 0
  for (let k = 18; k >= 3; k--) sum = 1 / k - zeta * sum
  return zeta ** 3 * sum
}

/** ζ ≠ 0 with ln(1+ζ) = ρ ζ, that is (ζ - ln(1+ζ)) / ζ = slack. The transform has its largest pole at 1 + ζ. */
export function decayRoot(rho: number, slack: number): number {
  if (slack === 0) return 0
  // There 1 + ζ is e^-ρ, below the last digit of ζ.
  if (slack < -35) return -1
  const f = (zeta: number) => (slack > 0.5 ? rho - Math.log1p(zeta) / zeta : logDefect(zeta) / zeta - slack)
  if (slack < 0) return zeroBetween(f, -Math.min(-2 * slack, 1 - 2 ** -53), slack / (1 - slack))
  let high = 4 * slack
  while (f(high) < 0) high *= 2
  return zeroBetween(f, 2 * slack, high)
}
