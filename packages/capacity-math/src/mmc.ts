import { checkInteger, checkNumber, checkRate, magnitudeMax } from './checks.ts'
import { erlangB } from './erlang-b.ts'
import { delayProbability } from './erlang-c.ts'
import { idleStates } from './idle-states.ts'
import { responseTail, responseTime, waitTime } from './mmc-times.ts'
import { type Population, population } from './population.ts'
import { differenceFromProduct } from './product.ts'
import type { StableQueue, UnstableQueue } from './queue.ts'

export interface MmcInput {
  /** Arrivals per second, from 0 to 1e100. */
  readonly lambda: number
  /** What one server completes per second when busy: 1 / mean service time; from 1e-100 to 1e100. */
  readonly mu: number
  /** c, an integer from 1. */
  readonly servers: number
}

export interface MmcQueue extends StableQueue {
  /** Variance of the number in the system. */
  readonly varL: number
  /** Variance of the number waiting. */
  readonly varLq: number
}

const assumptions: readonly string[] = Object.freeze([
  'arrivals are a Poisson process with a constant rate',
  'service times are independent and exponential',
  'servers are identical and serve one line in order of arrival',
  'nobody is refused and nobody gives up',
])

/**
 * M/M/c: Poisson arrivals, exponential service, c equal servers, one line. With one server it is M/M/1.
 * Wq = C / (cμ - λ) with Erlang's C; the rest follows from Little's law (L. Kleinrock, "Queueing systems", vol. 1, 3.5).
 * @throws RangeError or TypeError naming the parameter. Overload is an answer: `stable` is false.
 */
export function mmc(queue: MmcInput): MmcQueue | UnstableQueue {
  const { lambda, mu, servers } = queue
  checkMmc(queue)
  // The spare rate as if computed with twice the digits: near saturation the rounding of c μ alone would decide the result.
  const theta = differenceFromProduct(servers, mu, lambda)
  const utilization = lambda / (servers * mu)
  if (theta <= 0) return { kind: 'exact', assumptions, stable: false, utilization, throughput: servers * mu }
  const load = lambda / mu
  const spare = theta / mu
  const pWait = Math.min(1, delayProbability(servers, load, spare))
  const wait = waitTime(pWait, theta)
  const response = responseTime(pWait, theta, mu)
  const Lq = lambda * wait.mean
  // Kleinrock's geometric queue: P(Lq = n) = C (1-ρ) ρ^n for n ≥ 1. ρ / (1-ρ) is λ / θ.
  const varLq = Lq * (1 + (2 - pWait) * (lambda / theta))
  return {
    kind: 'exact',
    assumptions,
    stable: true,
    utilization,
    throughput: lambda,
    pWait,
    pBlock: 0,
    pAbandon: 0,
    L: Lq + load,
    Lq,
    W: response.mean,
    Wq: wait.mean,
    // The number in service has variance a (1 - C), and all are busy whenever somebody waits.
    varL: varLq + load * (1 - pWait) + 2 * spare * Lq,
    varLq,
    wait,
    response,
    get population() {
      return numberInSystem(servers, load, spare, pWait, Lq + load)
    },
  }
}

/**
 * The share of all that waits, or is in the system, longer than `t` in M/M/c, without all the rest of {@link mmc}; 1 in overload. For
 * searches, which ask it often.
 */
export function mmcTail({ lambda, mu, servers }: MmcInput, of: 'wait' | 'response', t: number): number {
  const theta = differenceFromProduct(servers, mu, lambda)
  if (theta <= 0) return 1
  const pWait = Math.min(1, delayProbability(servers, lambda / mu, theta / mu))
  return of === 'wait' ? pWait * Math.exp(-theta * t) : responseTail(pWait, theta, mu, t)
}

export function checkMmc({ lambda, mu, servers }: MmcInput): void {
  checkRate('lambda', lambda)
  checkNumber('mu', mu, 1 / magnitudeMax, magnitudeMax)
  checkInteger('servers', servers, 1)
}

/** From c on the states are geometric. */
function numberInSystem(servers: number, load: number, spare: number, pWait: number, mean: number): Population {
  const full = (pWait * spare) / servers
  const blocking = erlangB({ servers, load })
  const idle = (spare * (1 - blocking)) / (spare + load * blocking)
  const free = idleStates({ servers, load, idle, first: full, busy: pWait })
  const logRatio = logUtilization(servers, load, spare)
  return population({
    kind: 'exact',
    mean,
    pn: (n) => (n < servers ? free.pn(n) : full * Math.exp((n - servers) * logRatio)),
    sf: (n) => (n < servers - 1 ? free.sf(n) : pWait * Math.exp((n - servers + 1) * logRatio)),
  })
}

/** ln ρ from whichever of load and spare capacity says it more exactly; finite, and its products with counts too. */
export function logUtilization(servers: number, load: number, spare: number): number {
  const log = 2 * load < servers ? Math.log(load / servers) : Math.log1p(-spare / servers)
  return Math.max(log, -1e290)
}
