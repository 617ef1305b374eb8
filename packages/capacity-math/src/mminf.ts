import { checkNumber, checkRate, countMax, magnitudeMax } from './checks.ts'
import { responseTime } from './mmc-times.ts'
import { noWait } from './no-wait.ts'
import { poissonPmf, poissonSf } from './poisson.ts'
import { population } from './population.ts'
import type { StableQueue } from './queue.ts'

const assumptions: readonly string[] = Object.freeze([
  'arrivals are a Poisson process with a constant rate',
  'nobody ever waits: there is a server for everyone',
  'service times are independent; exponential for `response` and for the mean from empty',
])

export interface UnlimitedQueue extends StableQueue {
  /** Mean number in the system, t seconds after it was empty: a (1 - e^-μt). */
  meanFromEmpty(t: number): number
}

/**
 * M/M/∞: work that never queues, such as requests that are only held for a while. The number in the system is Poisson with
 * mean λ/μ, also for any other service time with that mean (W. Feller; Kleinrock, vol. 1, 3.4).
 * @param queue.lambda arrivals per second. @param queue.mu 1 / mean time inside. λ/μ may be up to 2^53 - 1.
 */
export function mminf(queue: { readonly lambda: number; readonly mu: number }): UnlimitedQueue {
  const { lambda, mu } = queue
  checkRate('lambda', lambda)
  checkNumber('mu', mu, 1 / magnitudeMax, magnitudeMax)
  const load = lambda / mu
  checkNumber('lambda / mu', load, 0, countMax)
  return {
    kind: 'exact',
    assumptions,
    stable: true,
    utilization: 0,
    throughput: lambda,
    pWait: 0,
    pBlock: 0,
    pAbandon: 0,
    L: load,
    Lq: 0,
    W: 1 / mu,
    Wq: 0,
    wait: noWait,
    response: responseTime(0, mu, mu),
    population: population({
      kind: 'exact',
      mean: load,
      pn: (n) => poissonPmf(n, load),
      sf: (n) => poissonSf(n, load),
    }),
    meanFromEmpty(t) {
      checkNumber('t', t, 0, magnitudeMax)
      return -load * Math.expm1(-mu * t)
    },
  }
}
