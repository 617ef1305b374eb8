import { checkInteger, checkNumber, checkRate, magnitudeMax } from './checks.ts'
import { deterministicWorkload, type Workload } from './deterministic-workload.ts'
import { type Distribution, distribution, inverseTail } from './distribution.ts'
import { constantTime, idleQueue } from './no-wait.ts'
import { population } from './population.ts'
import { differenceFromProduct } from './product.ts'
import type { StableQueue, UnstableQueue } from './queue.ts'

export interface ConstantService {
  /** Arrivals per second, from 0 to 1e100. */
  readonly lambda: number
  /** Seconds that every service takes, from 1e-100 to 1e100. */
  readonly serviceTime: number
}

const assumptions: readonly string[] = Object.freeze([
  'arrivals are a Poisson process with a constant rate',
  'every service takes the same time',
  'one server, one line, in order of arrival',
  'nobody is refused and nobody gives up',
])

/**
 * M/D/1: one server whose every service takes the same time, such as a commit to disk. The means are those of Pollaczek and
 * Khinchine, half the wait of M/M/1; the whole wait distribution is Erlang's (1909), at any depth and near saturation.
 * @throws RangeError or TypeError naming the parameter. Overload is an answer: `stable` is false.
 */
export function md1(queue: ConstantService): StableQueue | UnstableQueue {
  const { lambda, serviceTime } = queue
  checkConstantService(queue)
  const rho = lambda * serviceTime
  const slack = -differenceFromProduct(lambda, serviceTime, 1)
  const model = { kind: 'exact' as const, assumptions }
  if (slack <= 0) return { ...model, stable: false, utilization: rho, throughput: 1 / serviceTime }
  const Wq = (rho * serviceTime) / (2 * slack)
  const variance = Wq * Wq + (rho * serviceTime * serviceTime) / (3 * slack)
  if (rho === 0) return idleQueue(constantTime(serviceTime), assumptions)
  const workload = deterministicWorkload(rho, slack)
  const wait = waitOf(queue, slack, workload, { mean: Wq, variance })
  const L = lambda * Wq + rho
  return {
    ...model,
    stable: true,
    utilization: rho,
    throughput: lambda,
    pWait: rho,
    pBlock: 0,
    pAbandon: 0,
    L,
    Lq: lambda * Wq,
    W: Wq + serviceTime,
    Wq,
    wait,
    response: delayed(wait, serviceTime),
    population: population({
      kind: 'exact',
      mean: L,
      pn: (n) => slack * workload.state(n),
      sf: workload.above,
    }),
  }
}

function waitOf(
  { lambda, serviceTime }: ConstantService,
  slack: number,
  workload: Workload,
  moments: { readonly mean: number; readonly variance: number },
): Distribution {
  const rho = lambda * serviceTime
  const sf = (t: number) => workload.tail(t / serviceTime)
  return distribution({
    kind: 'exact',
    ...moments,
    above0: rho,
    sf,
    isf(q) {
      // During the first service time P(W ≤ t) = (1-ρ) e^λt, and near the jump at 0 the difference ρ - q decides alone.
      const excess = differenceFromProduct(lambda, serviceTime, q)
      if (excess <= 0) return 0
      const first = Math.log1p(excess / slack) / lambda
      return first <= serviceTime ? first : inverseTail(sf, q, moments.mean)
    },
  })
}

/** The same time and a constant on top. */
export function delayed(time: Distribution, constant: number): Distribution {
  return distribution({
    kind: time.kind,
    mean: time.mean + constant,
    variance: time.variance,
    above0: 1,
    sf: (t) => (t < constant ? 1 : time.sf(t - constant)),
    isf: (q) => constant + time.isf(q),
  })
}

export function checkConstantService({ lambda, serviceTime }: ConstantService): void {
  checkRate('lambda', lambda)
  checkNumber('serviceTime', serviceTime, 1 / magnitudeMax, magnitudeMax)
}

/**
 * M/D/1/K: the share turned away by one server with constant service and room for `capacity` in all. `lambda` may exceed the
 * service rate (O. Brun & J.-M. Garcia, "Analytical solution of finite capacity M/D/1 queues", 2000).
 * @param queue.capacity an integer from 1 to 1e6.
 */
export function md1kBlocking(queue: ConstantService & { readonly capacity: number }): number {
  const { lambda, serviceTime, capacity } = queue
  checkConstantService(queue)
  checkInteger('capacity', capacity, 1)
  checkNumber('capacity', capacity, 1, 1e6)
  return lossWithRoom(lambda * serviceTime, -differenceFromProduct(lambda, serviceTime, 1), capacity)
}

/**
 * The share that a token bucket drops: it holds `burst` tokens at most, gains `rate` per second, and an arrival without a whole
 * token is turned away. It is M/D/1/K with a capacity that need not be whole.
 * @param bucket.lambda arrivals per second, Poisson. @param bucket.rate from 1e-100. @param bucket.burst from 1 to 1e6.
 */
export function tokenBucketLoss(bucket: {
  readonly lambda: number
  readonly rate: number
  readonly burst: number
}): number {
  const { lambda, rate, burst } = bucket
  checkRate('lambda', lambda)
  checkNumber('rate', rate, 1 / magnitudeMax, magnitudeMax)
  checkNumber('burst', burst, 1, 1e6)
  return lossWithRoom(lambda / rate, (rate - lambda) / rate, burst)
}

function lossWithRoom(rho: number, slack: number, capacity: number): number {
  if (rho === 0) return 0
  checkNumber('load', rho, 0, 700)
  const workload = deterministicWorkload(rho, slack)
  const g = workload.g(capacity - 1)
  return Number.isFinite(g) ? workload.tail(capacity - 1) / (1 + rho * g) : -slack / rho
}
