import { checkInteger, checkNumber, magnitudeMax } from './checks.ts'
import type { Distribution } from './distribution.ts'
import { delayProbability } from './erlang-c.ts'
import { responseTime, waitTime } from './mmc-times.ts'
import { differenceFromProduct } from './product.ts'

/** What every queue model here says of itself, stable or not. */
export interface QueueModel {
  readonly kind: 'exact' | 'approximation' | 'upper-bound'
  /** Under which conditions the numbers hold. */
  readonly assumptions: readonly string[]
  /** Offered load per server, λ / (c μ): the share of time a server is busy where below 1. */
  readonly utilization: number
  /** Completions per second in the long run: λ, or c μ where more arrives. */
  readonly throughput: number
}

/** More arrives than can be served: the queue grows without end, and has no averages. */
export interface UnstableQueue extends QueueModel {
  readonly stable: false
}

/** Long-run behaviour; times in seconds, `L = lambda × W` and `Lq = lambda × Wq` hold between the means. */
export interface StableQueue extends QueueModel {
  readonly stable: true
  /** P(all servers busy): the share of arrivals that waits. */
  readonly pWait: number
  /** Mean number in the system, waiting or served. */
  readonly L: number
  /** Mean number waiting. */
  readonly Lq: number
  /** Mean time in the system. */
  readonly W: number
  /** Mean time waiting. */
  readonly Wq: number
  /** Time waiting, of all arrivals, also of those that do not wait. */
  readonly wait: Distribution
  /** Time in the system: waiting and being served. */
  readonly response: Distribution
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
 * @param queue.lambda arrivals per second, from 0 to 1e100.
 * @param queue.mu what one server completes per second when busy: 1 / mean service time; from 1e-100 to 1e100.
 * @param queue.servers c, an integer from 1.
 * @throws RangeError or TypeError naming the parameter. Overload is an answer: `stable` is false.
 */
export function mmc(queue: {
  readonly lambda: number
  readonly mu: number
  readonly servers: number
}): StableQueue | UnstableQueue {
  const { lambda, mu, servers } = queue
  checkNumber('lambda', lambda, 0, magnitudeMax)
  checkNumber('mu', mu, 1 / magnitudeMax, magnitudeMax)
  checkInteger('servers', servers, 1)
  // The spare rate as if computed with twice the digits: near saturation the rounding of c μ alone would decide the result.
  const theta = differenceFromProduct(servers, mu, lambda)
  const utilization = lambda / (servers * mu)
  if (theta <= 0) return { kind: 'exact', assumptions, stable: false, utilization, throughput: servers * mu }
  const load = lambda / mu
  const pWait = Math.min(1, delayProbability(servers, load, theta / mu))
  const wait = waitTime(pWait, theta)
  const response = responseTime(pWait, theta, mu)
  return {
    kind: 'exact',
    assumptions,
    stable: true,
    utilization,
    throughput: lambda,
    pWait,
    L: lambda * wait.mean + load,
    Lq: lambda * wait.mean,
    W: response.mean,
    Wq: wait.mean,
    wait,
    response,
  }
}
