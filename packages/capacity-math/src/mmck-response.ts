import { type Distribution, distribution } from './distribution.ts'
import { logGeometricSum } from './geometric.ts'
import { poissonLogSf } from './poisson.ts'
import { logPoissonTerm, poissonTerm } from './saddle-point.ts'
import { stageMixture } from './stage-mixture.ts'
import { sumFromMode } from './sum-from-mode.ts'

/**
 * Time in the system of those whom M/M/c/K accepts: their wait and one exponential service. A wait of k departures and a service
 * outlast t if the wait does, or else the service does, P = e^-μt (c/(c-1))^k P(k departures at rate (c-1)μ by t).
 */
export function acceptedResponse(queue: {
  readonly load: number
  readonly mu: number
  readonly servers: number
  readonly room: number
  readonly wait: Distribution
  readonly pWait: number
  /** Share of the accepted that waits for more than `i` departures. */
  readonly exceeds: (i: number) => number
  /** Share of the accepted that waits for one departure. */
  readonly first: number
}): Distribution {
  const { load, mu, servers, room, wait, pWait, exceeds, first } = queue
  const moments = { mean: wait.mean + 1 / mu, variance: wait.variance + 1 / (mu * mu) }
  // One server: the own service is one more stage of the same rate.
  if (servers === 1) {
    const shifted = (i: number) => (i === 0 ? 1 : exceeds(i - 1))
    return stageMixture({ rate: mu, exceeds: shifted, most: room + 1, ratio: Math.min(1, load), ...moments })
  }
  const logRatio = Math.log1p((load - servers + 1) / (servers - 1))
  const logFirst = Math.log(first * (servers / (servers - 1)))
  return distribution({
    kind: 'exact',
    ...moments,
    above0: 1,
    sf(t) {
      if (t === 0) return 1
      const served = Math.exp(-mu * t)
      if (first === 0) return served
      const y = (servers - 1) * mu * t
      const term = (i: number) =>
        Math.exp(logPoissonTerm(i, y) - mu * t + logFirst + logGeometricSum(logRatio, Math.min(i, room)))
      const mode = Math.max(y, Math.min(load * mu * t, room))
      return Math.min(1, wait.sf(t) + (1 - pWait) * served + sumFromMode(term, mode, 1, Number.POSITIVE_INFINITY))
    },
  })
}

/** P(k departures of all servers are over by y and a service begun after them is not), in units of the mean service time; y above 0. */
export function outlasted(k: number, servers: number, y: number): number {
  if (servers === 1) return poissonTerm(k, y)
  return Math.exp(poissonLogSf(k - 1, (servers - 1) * y) - y - k * Math.log1p(-1 / servers))
}
