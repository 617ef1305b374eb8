import { decayRoot } from './deterministic-workload.ts'
import { ladder } from './ladder.ts'
import { poissonSf } from './poisson.ts'
import { poissonTerm } from './saddle-point.ts'
import { sumFromMode } from './sum-from-mode.ts'

/**
 * The queue Q' = max(0, Q + A - c) of what waits when every period brings a Poisson number A of mean a and takes up to c away:
 * M/D/c seen once per service time (C. D. Crommelin, 1932), and a buffer that is flushed by the clock (N. T. J. Bailey, 1954).
 */
export interface DeterministicQueue {
  readonly mean: number
  /** E Q (Q - 1) */
  readonly secondFactorial: number
  /** P(Q = m) */
  pn(m: number): number
  /** P(Q > m), with full relative accuracy. */
  sf(m: number): number
  /** P(Q + A > n) with A Poisson of mean `arrivals`: of what is there before the period takes its share. */
  withArrivals(arrivals: number, n: number): number
}

/** @param a above 0. @param slack 1 - a/c, above 0, given apart because near saturation it has digits that a/c has lost. */
export function deterministicQueue(c: number, a: number, slack: number): DeterministicQueue {
  const zeta = decayRoot(a / c, slack)
  const { values, sum, first, second } = ladder(c, a, zeta, slack)
  // m P(Q = m) = Σ k v(k) P(Q = m - k): all positive. From where v is a power so is P.
  const states = [Math.exp(-sum)]
  const last = values.length - 1
  for (let m = 1; m <= last; m++) {
    let flow = 0
    for (let k = 1; k <= m; k++) flow += k * values[k]! * states[m - k]!
    states.push(flow / m)
  }
  const pn = (m: number) => (m <= last ? states[m]! : states[last]! * Math.exp((last - m) * Math.log1p(zeta)))
  const tails = [states[last]! / zeta]
  for (let m = last; m > 0; m--) tails.push(tails.at(-1)! + states[m]!)
  tails.reverse()
  // Where nearly nobody waits, 1 - P(Q = 0) would be all rounding.
  const sf = (m: number) => (m <= last ? tails[m]! : pn(m) / zeta)
  return {
    mean: first,
    secondFactorial: second + first * first,
    pn,
    sf,
    withArrivals(arrivals, n) {
      if (n < 0) return 1
      if (n >= Number.MAX_SAFE_INTEGER) return 0
      // The largest term is where both tails fall alike.
      const mode = arrivals * (1 + zeta)
      const none = poissonSf(n, arrivals)
      return none + sumFromMode((j) => poissonTerm(j, arrivals) * sf(n - j), mode, 0, n)
    },
  }
}
