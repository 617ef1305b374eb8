import { checkNumber, checkProbability, magnitudeMax } from './checks.ts'
import type { Distribution } from './distribution.ts'

/**
 * Time in the queue of M/M/c, first come first served: 0 with probability 1 - C, else exponential with rate θ = cμ - λ.
 * P(Wq > t) = C e^-θt (D. Gross & C. M. Harris, "Fundamentals of queueing theory", 2.3).
 */
export function waitTime(pWait: number, theta: number): Distribution {
  return {
    mean: pWait / theta,
    variance: (pWait * (2 - pWait)) / (theta * theta),
    atomAtZero: 1 - pWait,
    cdf(t) {
      checkTime(t)
      return 1 - pWait - pWait * Math.expm1(-theta * t)
    },
    sf(t) {
      checkTime(t)
      return pWait * Math.exp(-theta * t)
    },
    quantile(p) {
      checkProbability('p', p)
      const q = 1 - p
      return q >= pWait ? 0 : Math.log(pWait / q) / theta
    },
  }
}

/**
 * Time in the system of M/M/c: the wait plus an independent exponential service with rate μ.
 * P(T > t) = e^-μt + C μ ∫ e^-θs e^-μ(t-s) ds over s in (0, t) (Gross & Harris, 2.3), where the integral is
 * e^-mt (1 - e^-dt) / d with m the smaller of the two rates and d their distance, and t e^-mt where they are equal.
 */
export function responseTime(pWait: number, theta: number, mu: number): Distribution {
  const slower = Math.min(mu, theta)
  const distance = Math.abs(mu - theta)
  const sf = (t: number) => {
    const overlap = distance === 0 ? t : -Math.expm1(-distance * t) / distance
    // At t near 0 rounding could lift the sum a last digit above 1.
    return Math.min(1, Math.exp(-mu * t) + pWait * mu * overlap * Math.exp(-slower * t))
  }
  return {
    mean: pWait / theta + 1 / mu,
    variance: (pWait * (2 - pWait)) / (theta * theta) + 1 / (mu * mu),
    atomAtZero: 0,
    cdf(t) {
      checkTime(t)
      return 1 - sf(t)
    },
    sf(t) {
      checkTime(t)
      return sf(t)
    },
    quantile(p) {
      checkProbability('p', p)
      return inverse(sf, 1 - p, -Math.log1p(-p) / mu)
    },
  }
}

/** The t with sf(t) = q for a falling sf, by bisection; `from` must not be above it: service alone takes that long. */
function inverse(sf: (t: number) => number, q: number, from: number): number {
  let low = from
  let high = from
  while (sf(high) > q) {
    low = high
    high *= 2
  }
  for (;;) {
    const middle = low + (high - low) / 2
    if (middle <= low || middle >= high) return high
    if (sf(middle) > q) low = middle
    else high = middle
  }
}

function checkTime(t: number): void {
  checkNumber('t', t, 0, magnitudeMax)
}
