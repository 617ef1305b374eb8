import { type Distribution, distribution } from './distribution.ts'
import type { Kind } from './queue.ts'

/**
 * Time in the queue of M/M/c, first come first served: 0 with probability 1 - C, else exponential with rate θ = cμ - λ.
 * P(Wq > t) = C e^-θt (D. Gross & C. M. Harris, "Fundamentals of queueing theory", 2.3).
 */
export function waitTime(pWait: number, theta: number, kind: Kind = 'exact'): Distribution {
  return distribution({
    kind,
    mean: pWait / theta,
    // In this order nothing overflows that is not itself too large to say.
    variance: Math.min(Number.MAX_VALUE, (pWait / theta) * ((2 - pWait) / theta)),
    above0: pWait,
    cdf: (t) => 1 - pWait - pWait * Math.expm1(-theta * t),
    sf: (t) => pWait * Math.exp(-theta * t),
    isf: (q) => (q >= pWait ? 0 : Math.log(pWait / q) / theta),
  })
}

/** Time in the system of M/M/c: the wait plus an independent exponential service with rate μ. */
export function responseTime(pWait: number, theta: number, mu: number, kind: Kind = 'exact'): Distribution {
  return distribution({
    kind,
    mean: pWait / theta + 1 / mu,
    variance: (pWait / theta) * ((2 - pWait) / theta) + 1 / (mu * mu),
    above0: 1,
    sf: (t) => responseTail(pWait, theta, mu, t),
  })
}

/**
 * P(T > t) = e^-μt + C μ ∫ e^-θs e^-μ(t-s) ds over s in (0, t) (Gross & Harris, 2.3), where the integral is
 * e^-mt (1 - e^-dt) / d with m the smaller of the two rates and d their distance, and t e^-mt where they are equal.
 */
export function responseTail(pWait: number, theta: number, mu: number, t: number): number {
  const slower = Math.min(mu, theta)
  const distance = Math.abs(mu - theta)
  const overlap = distance === 0 ? t : -Math.expm1(-distance * t) / distance
  // At t near 0 rounding could lift the sum a last digit above 1.
  return Math.min(1, Math.exp(-mu * t) + pWait * mu * overlap * Math.exp(-slower * t))
}
