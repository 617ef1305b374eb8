import { below } from './gamma-ratio.ts'
import { poissonCdf, poissonSf } from './poisson.ts'
import { logPoissonTerm, poissonTerm } from './saddle-point.ts'

/**
 * The states in which a server is free, the same in every queue with Poisson arrivals and exponential service: Poisson terms
 * of the load, a^n / n!, scaled. `n` is below `servers`.
 */
export interface IdleStates {
  pn(n: number): number
  /** P(N > n) */
  sf(n: number): number
}

export function idleStates(queue: {
  readonly servers: number
  readonly load: number
  /** P(N < c) */
  readonly idle: number
  /** P(N = c) */
  readonly first: number
  /** P(N ≥ c) */
  readonly busy: number
}): IdleStates {
  const { servers, load, idle, first, busy } = queue
  if (load <= servers) {
    const scale = idle / poissonCdf(servers - 1, load)
    return {
      pn: (n) => scale * poissonTerm(n, load),
      sf(n) {
        const cdf = scale * poissonCdf(n, load)
        return cdf < 0.5 ? 1 - cdf : busy + scale * (poissonSf(n, load) - poissonSf(servers - 1, load))
      },
    }
  }
  // Under overload the terms may be too small for binary64, but not their ratios to the one at c.
  const pn = (n: number) => first * Math.exp(logPoissonTerm(n, load) - logPoissonTerm(servers, load))
  return { pn, sf: (n) => 1 - pn(n) * below(n, load) }
}
