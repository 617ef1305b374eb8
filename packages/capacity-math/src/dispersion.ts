import { checkNumber, countMax } from './checks.ts'
import { upperGamma } from './gamma.ts'

export interface Dispersion {
  /** Variance over mean of the counts: 1 for a Poisson process, above for bursts, below for a regular stream. */
  readonly index: number
  /** The probability of an index at least so large if the counts were Poisson; a small one says that they are too bursty. */
  readonly pValue: number
}

/**
 * Fisher's index-of-dispersion test: is what arrived in equal stretches of time a Poisson process with a constant rate? Under
 * it Σ (x - m)² / m is χ² with n - 1 degrees of freedom (R. A. Fisher, 1925).
 * @param counts at least two, each an integer ≥ 0, and not all 0.
 */
export function dispersionTest(counts: readonly number[]): Dispersion {
  if (counts.length < 2) throw new RangeError(`counts must have 2 entries or more, received ${counts.length}`)
  let sum = 0
  for (const count of counts) {
    checkNumber('counts', count, 0, countMax)
    sum += count
  }
  if (sum === 0) throw new RangeError('counts must not all be 0')
  const mean = sum / counts.length
  let squares = 0
  for (const count of counts) squares += (count - mean) ** 2
  const freedom = counts.length - 1
  return { index: squares / freedom / mean, pValue: upperGamma(freedom / 2, squares / mean / 2) }
}
