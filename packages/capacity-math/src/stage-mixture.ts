import { type Distribution, distribution } from './distribution.ts'
import { poissonTerm } from './saddle-point.ts'
import { smallestInteger } from './smallest-integer.ts'
import { sumFromMode } from './sum-from-mode.ts'

/**
 * A time that is a random number J of exponential stages, one after the other at the same rate. It lasts longer than t when
 * fewer than J stages end by then: P(T > t) = Σ_i e^-y y^i / i! P(J > i) with y = rate × t, all terms positive.
 */
export function stageMixture(stages: {
  readonly rate: number
  /** P(J > i). */
  readonly exceeds: (i: number) => number
  /** The most stages there can be; may be Infinity. */
  readonly most: number
  /** About P(J > i + 1) / P(J > i), which tells where to look for the largest term. */
  readonly ratio: number
  readonly mean: number
  readonly variance: number
  /** P(T > t) for a y beyond which fewer stages than those from which P(J > i) is a power no longer count. */
  readonly far?: { readonly beyond: number; readonly tail: (y: number) => number }
}): Distribution {
  const { rate, exceeds, most, ratio, mean, variance, far } = stages
  return distribution({
    kind: 'exact',
    mean,
    variance,
    above0: exceeds(0),
    sf(t) {
      const y = rate * t
      if (y === 0 || most === 0) return exceeds(0)
      if (far && y > far.beyond) return far.tail(y)
      // The tail is e^(-y (1 - ratio)) at the most, or that of fewer than `most` of very many.
      if (y * (1 - ratio) > 1000 || y > 2 ** 50) return 0
      const falls = (i: number) => i >= most - 1 || y * exceeds(i + 1) <= (i + 1) * exceeds(i)
      const mode = smallestInteger(falls, 0, Math.min(y * ratio, most - 1))
      return sumFromMode((i) => poissonTerm(i, y) * exceeds(i), mode, 0, most - 1)
    },
  })
}
