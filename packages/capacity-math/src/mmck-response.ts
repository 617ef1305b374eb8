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
      // Above any of its terms; where even this is nothing, the sum over them would be long.
      const most = logFirst - mu * t + logGeometricSum(logRatio, room)
      if (most < -745) return Math.min(1, wait.sf(t) + (1 - pWait) * served)
      const y = (servers - 1) * mu * t
      const scale = logFirst - mu * t
      const few = (i: number) => Math.exp(scale + logPoissonTerm(i, y) + logGeometricSum(logRatio, i))
      // From `room` departures on more of them change nothing.
      const many = y < 1e-290 ? 0 : Math.exp(scale + poissonLogSf(room - 1, y) + logGeometricSum(logRatio, room))
      const mode = Math.max(y, Math.min(load * mu * t, room))
      const after = sumFromMode(few, mode, 1, room - 1) + many
      return Math.min(1, wait.sf(t) + (1 - pWait) * served + after)
    },
  })
}

/** P(k departures of all servers are over by y and a service begun after them is not), in units of the mean service time; y above 0. */
export function outlasted(k: number, servers: number, y: number): number {
  if (servers === 1) return poissonTerm(k, y)
  if (y < 1e-290) return 0
  return Math.exp(poissonLogSf(k - 1, (servers - 1) * y) - y - k * Math.log1p(-1 / servers))
}
