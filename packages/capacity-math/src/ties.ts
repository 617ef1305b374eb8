import { type DoubleDouble, over, plus, times } from './double-double.ts'
import { twoProduct } from './product.ts'

/**
 * Is `value` at most `bound`? Shares such as 1/10 are met exactly by small systems, and then the last digit of a rounded value would
 * decide how many servers there must be. So where the two are that close, `exact` compares with twice the digits.
 * @param size how many steps that takes; above 10,000 there are no such ties, and the rounded value decides.
 */
export function atMost(value: number, bound: number, size: number, exact: () => number): boolean {
  if (Math.abs(value - bound) > 1e-13 * bound || size > sizeMax) return value <= bound
  // What is equal to 28 digits is equal.
  return exact() >= -1e-28
}

const sizeMax = 10_000

export interface Pool {
  readonly lambda: number
  readonly mu: number
  readonly servers: number
}

/** By how much the share that M/M/c/K turns away is below `share`, relative to it. */
export function blockingMargin(pool: Pool & { readonly capacity: number }, share: number): number {
  return plus(times(inverseBlocking(pool), [share, 0]), [-1, 0])[0]
}

/** The same of the share that waits in M/M/c: 1/C = (λ + (cμ - λ) / B) / (cμ). */
export function waitingMargin(pool: Pool, share: number): number {
  const { lambda, mu, servers } = pool
  const capacity = twoProduct(servers, mu)
  const spare = plus(capacity, [-lambda, 0])
  const inverse = plus([lambda, 0], times(spare, inverseBlocking({ ...pool, capacity: servers })))
  return plus(times(inverse, [share, 0]), [-capacity[0], -capacity[1]])[0] / capacity[0]
}

/** The same of the mean wait in M/M/c, which is C / (cμ - λ). */
export function meanWaitMargin(pool: Pool, Wq: number): number {
  const { lambda, mu, servers } = pool
  const capacity = twoProduct(servers, mu)
  const spare = plus(capacity, [-lambda, 0])
  const inverse = plus([lambda, 0], times(spare, inverseBlocking({ ...pool, capacity: servers })))
  const product = times(times(inverse, spare), [Wq, 0])
  return plus(product, [-capacity[0], -capacity[1]])[0] / capacity[0]
}

/** 1 / p(K) = 1 + (min(K, c) μ / λ) / p(K-1), from K = 0 on. */
function inverseBlocking({ lambda, mu, servers, capacity }: Pool & { readonly capacity: number }): DoubleDouble {
  let inverse: DoubleDouble = [1, 0]
  for (let k = 1; k <= capacity; k++)
    inverse = plus([1, 0], over(times(inverse, twoProduct(Math.min(k, servers), mu)), lambda))
  return inverse
}
