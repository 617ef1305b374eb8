import { checkInteger, checkProbability } from './checks.ts'
import type { Kind } from './queue.ts'
import { smallestInteger } from './smallest-integer.ts'

/** A number of customers as a random quantity. */
export interface Population {
  readonly kind: Kind
  readonly mean: number
  /** P(N = n). @param n an integer from 0. */
  pn(n: number): number
  /** P(N > n), with full relative accuracy in the tail where `kind` is exact. */
  sf(n: number): number
  /** The smallest n with P(N ≤ n) ≥ p. @param p above 0 and below 1. */
  quantile(p: number): number
}

export function population(parts: {
  readonly kind: Kind
  readonly mean: number
  /** No state is above this; Infinity unless given. */
  readonly most?: number
  readonly pn: (n: number) => number
  readonly sf: (n: number) => number
}): Population {
  const { kind, mean, most = Number.POSITIVE_INFINITY, pn, sf } = parts
  return {
    kind,
    mean,
    pn(n) {
      checkInteger('n', n, 0)
      return n > most ? 0 : pn(n)
    },
    sf(n) {
      checkInteger('n', n, 0)
      return n >= most ? 0 : sf(n)
    },
    quantile(p) {
      checkProbability('p', p)
      return smallestInteger((n) => n >= most || sf(n) <= 1 - p, 0, mean)
    },
  }
}
