/** A time as a random quantity, in seconds; never negative. */
export interface Distribution {
  readonly mean: number
  readonly variance: number
  /** P(T = 0): the share that does not wait at all. */
  readonly atomAtZero: number
  /** P(T ≤ t). @param t seconds, from 0 to 1e100. */
  cdf(t: number): number
  /** P(T > t), with full relative accuracy in the tail. @param t seconds, from 0 to 1e100. */
  sf(t: number): number
  /** The smallest t with P(T ≤ t) ≥ p: `quantile(0.99)` is the p99. @param p above 0 and below 1. */
  quantile(p: number): number
}
