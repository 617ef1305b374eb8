import { type Distribution, distribution } from './distribution.ts'
import { upperGamma } from './gamma.ts'
import { idleStates } from './idle-states.ts'
import { waitTime } from './mmc-times.ts'
import { noWait } from './no-wait.ts'
import { type Population, population } from './population.ts'
import type { Kind, StableQueue } from './queue.ts'

/**
 * The whole shape of a queue of which only the mean wait and the share that waits are known: the wait of those that wait is taken
 * to be exponential, as it is in heavy traffic (J. F. C. Kingman, 1962), the service a gamma time with its two moments, and both
 * together another one, and the number waiting geometric.
 */
export function approximateQueue(parts: {
  readonly kind: Kind
  readonly assumptions: readonly string[]
  readonly lambda: number
  readonly meanService: number
  readonly scv: number
  readonly servers: number
  readonly utilization: number
  readonly pWait: number
  readonly Wq: number
}): StableQueue {
  const { kind, assumptions, lambda, meanService, scv, servers, utilization, pWait, Wq } = parts
  const Lq = lambda * Wq
  const load = lambda * meanService
  const theta = pWait / Wq
  const wait = theta > 0 && Number.isFinite(theta) ? waitTime(pWait, theta, 'approximation') : noWait
  return {
    kind,
    assumptions,
    stable: true,
    utilization,
    throughput: lambda,
    pWait,
    pBlock: 0,
    pAbandon: 0,
    L: Lq + load,
    Lq,
    W: Wq + meanService,
    Wq,
    wait,
    response: responseTime({ wait, pWait, meanService, variance: scv * meanService * meanService }),
    population: numberInSystem(servers, load, pWait, Lq),
  }
}

/** Of those that wait and of those that do not, so that what happens to few does not change what the others see. */
function responseTime(given: {
  readonly wait: Distribution
  readonly pWait: number
  readonly meanService: number
  readonly variance: number
}): Distribution {
  const { wait, pWait, meanService, variance } = given
  const service = gammaTail(meanService, variance)
  const mean = wait.mean === 0 ? 0 : wait.mean / pWait
  const both =
    wait.mean === 0 ? service : gammaTail(mean + meanService, Math.min(Number.MAX_VALUE, mean * mean + variance))
  return distribution({
    kind: 'approximation',
    mean: wait.mean + meanService,
    variance: Math.min(Number.MAX_VALUE, wait.variance + variance),
    above0: 1,
    sf: (t) => (1 - pWait) * service(t) + pWait * both(t),
  })
}

/** P(T > t) of the gamma distribution with this mean and variance. */
function gammaTail(mean: number, variance: number): (t: number) => number {
  if (variance < mean * mean * 1e-12) return (t) => Number(t < mean)
  const scale = variance / mean
  return (t) => (t === 0 ? 1 : upperGamma(mean / scale, t / scale))
}

function numberInSystem(servers: number, load: number, pWait: number, Lq: number): Population {
  const ratio = Lq === 0 ? 0 : Lq / (Lq + pWait)
  const first = pWait * (1 - ratio)
  const free = idleStates({ servers, load, idle: 1 - pWait, first, busy: pWait })
  return population({
    kind: 'approximation',
    mean: Lq + load,
    pn: (n) => (n < servers ? free.pn(n) : first * ratio ** (n - servers)),
    sf: (n) => (n < servers - 1 ? free.sf(n) : pWait * ratio ** (n - servers + 1)),
  })
}
