import { checkInteger, checkRate } from './checks.ts'

export interface ClosedBounds {
  /** Completions per second. */
  readonly X: { readonly lower: number; readonly upper: number }
  /** Mean seconds in the stations, without thinking. */
  readonly R: { readonly lower: number; readonly upper: number }
  /** The population from which on the slowest station, and no longer the number of clients, limits the throughput. */
  readonly knee: number
}

/**
 * Between what a closed network of single-server stations must be, from the sum and the largest of its demands alone: balanced job bounds
 * (J. Zahorjan et al., 1982; E. Lazowska et al., "Quantitative system performance", 1984, 5.4), for where {@link mva} is more than one
 * needs or more than one knows.
 * @param network as for `mva`; `population` an integer from 1. @throws RangeError where all demands are 0.
 */
export function closedBounds(network: {
  readonly demands: readonly number[]
  readonly thinkTime: number
  readonly population: number
}): ClosedBounds {
  const { demands, thinkTime, population: N } = network
  for (const demand of demands) checkRate('demands', demand)
  checkRate('thinkTime', thinkTime)
  checkInteger('population', N, 1)
  const most = Math.max(0, ...demands)
  if (most === 0) throw new RangeError('demands must not all be 0')
  const sum = demands.reduce((total, it) => total + it, 0)
  const mean = sum / demands.filter((it) => it > 0).length
  const alone = sum + thinkTime
  const X = {
    lower: N / (alone + ((N - 1) * most) / (1 + thinkTime / (N * sum))),
    upper: Math.min(1 / most, N / (alone + ((N - 1) * mean) / (1 + thinkTime / sum))),
  }
  const R = (throughput: number) => Math.max(sum, N / throughput - thinkTime)
  return { X, R: { lower: R(X.upper), upper: R(X.lower) }, knee: alone / most }
}
