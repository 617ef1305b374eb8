import { checkInteger, checkNumber, magnitudeMax } from './checks.ts'
import { checkMmc, type MmcInput } from './mmc.ts'
import { differenceFromProduct } from './product.ts'

export interface Drain {
  /** Seconds until the backlog is gone, on average. */
  readonly mean: number
  readonly variance: number
}

/**
 * How long a backlog lasts that busy servers work off while new work keeps coming: the first passage of M/M/1 from `backlog` to
 * empty, mean n / (μ - λ) and variance n (λ + μ) / (μ - λ)³ (Kleinrock, vol. 1, 5.8). With c servers it is the time until one
 * of them falls idle.
 * @param queue.servers c, 1 by default.
 * @throws RangeError naming `lambda` where the backlog grows instead.
 */
export function drain(queue: {
  readonly backlog: number
  readonly lambda: number
  readonly mu: number
  readonly servers?: number
}): Drain {
  const { backlog, lambda, mu, servers = 1 } = queue
  checkNumber('backlog', backlog, 0, 1e15)
  checkMmc({ lambda, mu, servers })
  const spare = differenceFromProduct(servers, mu, lambda)
  if (spare <= 0)
    throw new RangeError(`lambda must be below servers × mu = ${servers * mu} to drain, received ${lambda}`)
  const mean = backlog / spare
  return { mean, variance: mean * ((lambda + servers * mu) / spare / spare) }
}

/**
 * Mean seconds until M/M/c, empty now, first holds `limit`: from the mean times e_n from n to n + 1, e_n = 1/λ + (μ_n / λ) e_(n-1)
 * (S. Karlin & H. Taylor, "A first course in stochastic processes", 4.7). Also for queues that are unstable, where it is the
 * time that is left.
 * @param queue.limit an integer from 1 to 1e7. @param queue.lambda above 0.
 * @returns at most 1.8e308, also where it is longer.
 */
export function timeToOverflow(queue: MmcInput & { readonly limit: number }): number {
  const { lambda, mu, servers, limit } = queue
  checkMmc(queue)
  checkNumber('lambda', lambda, 1 / magnitudeMax, magnitudeMax)
  checkInteger('limit', limit, 1)
  checkNumber('limit', limit, 1, 1e7)
  let step = 0
  let sum = 0
  for (let n = 0; n < limit; n++) {
    step = (1 + Math.min(n, servers) * mu * step) / lambda
    sum += step
    if (sum === Number.POSITIVE_INFINITY) return Number.MAX_VALUE
  }
  return sum
}
