import { checkInteger, checkNumber, checkProbability, checkRate, magnitudeMax } from './checks.ts'
import { geometricSum } from './geometric.ts'
import { responseTime, waitTime } from './mmc-times.ts'
import { idleQueue } from './no-wait.ts'
import { population } from './population.ts'
import { differenceFromProduct } from './product.ts'
import type { StableQueue, UnstableQueue } from './queue.ts'
import { smallestInteger } from './smallest-integer.ts'
import { zeroBetween } from './zero.ts'

export interface BatchWriter {
  /** Writes per second, Poisson. */
  readonly lambda: number
  /** Commits per second, back to back, whatever their size. */
  readonly mu: number
  /** b, the most writes in one commit, an integer from 1. */
  readonly maxBatch: number
}

export interface BatchQueue extends StableQueue {
  /** Mean writes per commit. */
  readonly meanBatch: number
}

const assumptions: readonly string[] = Object.freeze([
  'arrivals are a Poisson process with a constant rate',
  'commits take independent exponential times, whatever their size',
  'an idle writer starts at once, with one write; a busy one takes all that wait next, up to the largest batch',
  'a write cannot join a commit under way',
])

/**
 * The batch writer, M/M(1,b)/1: whatever waits is the next batch. With r the root of μ Σ_(j ≤ b) r^j = λ, the number waiting behind
 * a commit is geometric, and the whole wait is one exponential: P(Wq > t) = P(wait) e^(-μ (1 - r^b) t) (N. T. J. Bailey, 1954, for
 * the chain; the wait is a geometric number of commits).
 * @throws RangeError or TypeError naming the parameter. Overload is an answer: `stable` is false.
 */
export function batchService(writer: BatchWriter): BatchQueue | UnstableQueue {
  const { lambda, mu, maxBatch } = writer
  checkRate('lambda', lambda)
  checkNumber('mu', mu, 1 / magnitudeMax, magnitudeMax)
  checkInteger('maxBatch', maxBatch, 1)
  const spare = differenceFromProduct(maxBatch, mu, lambda) / mu
  if (spare <= 0)
    return {
      kind: 'exact',
      assumptions,
      stable: false,
      utilization: lambda / (maxBatch * mu),
      throughput: maxBatch * mu,
    }
  const load = lambda / mu
  if (load < 1e-100) return { ...idleQueue(waitTime(1, mu), assumptions), meanBatch: 1 }
  const log = rootLog(maxBatch, load, spare)
  const rest = -Math.expm1(log)
  const pWait = 1 / (1 + rest / load)
  const theta = -mu * Math.expm1(maxBatch * log)
  const Lq = (pWait * Math.exp(log)) / rest
  const Wq = Lq / lambda
  return {
    kind: 'exact',
    assumptions,
    stable: true,
    utilization: pWait,
    throughput: lambda,
    meanBatch: load / pWait,
    pWait,
    pBlock: 0,
    pAbandon: 0,
    L: Lq + load,
    Lq,
    W: Wq + 1 / mu,
    Wq,
    wait: waitTime(pWait, theta),
    response: responseTime(pWait, theta, mu),
    population: numberInSystem(lambda, mu, pWait, theta, Lq + load),
  }
}

/** The smallest largest batch with which at most the share `share` of the writes takes longer than `t` seconds, wait and commit. */
export function minBatch(demand: {
  readonly lambda: number
  readonly mu: number
  readonly t: number
  readonly share: number
}): number {
  const { lambda, mu, t, share } = demand
  checkNumber('t', t, 0, magnitudeMax)
  checkProbability('share', share)
  const meets = (maxBatch: number) => {
    const queue = batchService({ lambda, mu, maxBatch })
    return queue.stable && queue.response.sf(t) <= share
  }
  const most = 2 ** 40
  if (!meets(most))
    throw new RangeError(
      `t must be longer: without any limit of the batch more than ${share} of the writes take longer than ${t} s`,
    )
  return smallestInteger(meets, 1, Math.floor(lambda / mu) + 1)
}

/** ln r with Σ_(j ≤ b) (1 - r^j) = b - a, the sum without cancellation where all r^j are near 1. */
function rootLog(maxBatch: number, load: number, spare: number): number {
  const missing = (log: number) => {
    if (-maxBatch * log > 0.5) return maxBatch - Math.exp(log) * geometricSum(log, maxBatch)
    // Nearer to l = 0 that difference cancels, and the mean of 1 - e^jl does not.
    return maxBatch * meanShortfall(log, maxBatch)
  }
  const low = -Math.log1p(1 / load)
  return zeroBetween(
    (log) => missing(log) - spare,
    low * 1.01 - 1e-300,
    low * 1e-18 - (spare / maxBatch / maxBatch) * 1e-3,
  )
}

/** The mean over j from 1 to b of 1 - e^jl for a small b l: 1 - e^l (e^bl - 1) / (b (e^l - 1)). */
function meanShortfall(log: number, b: number): number {
  // φ(x) = (e^x - 1) / x; the mean of e^jl is e^l φ(bl) / φ(l).
  const relative = (x: number) => {
    let sum = 0
    for (let k = 18; k >= 2; k--) sum = (x / k) * (1 + sum)
    return sum
  }
  const [whole, one] = [relative(b * log), relative(log)]
  // ln of the mean is l + ln(1 + whole) - ln(1 + one), a small number made of small numbers.
  return -Math.expm1(log + Math.log1p(whole) - Math.log1p(one))
}

/**
 * Committed in order of arrival, those in the system came during one response: N is Poisson with mean λT, for T the exponentials of
 * the response. With x = λ/(λ+θ) and y = λ/(λ+μ), P(N > n) = y^(n+1) + P(wait) μ λ / ((λ+θ)(λ+μ)) Σ_(i ≤ n) x^i y^(n-i).
 */
function numberInSystem(lambda: number, mu: number, pWait: number, theta: number, mean: number) {
  const [logX, logY] = [-Math.log1p(theta / lambda), -Math.log1p(mu / lambda)]
  const [larger, gap] = [Math.max(logX, logY), -Math.abs(logX - logY)]
  const weight = pWait * (mu / (lambda + mu)) * (lambda / (lambda + theta))
  const sf = (n: number) =>
    n < 0 ? 1 : Math.min(1, Math.exp((n + 1) * logY) + weight * Math.exp(n * larger) * geometricSum(gap, n + 1))
  return population({ kind: 'exact', mean, pn: (n) => Math.max(0, sf(n - 1) - sf(n)), sf })
}
