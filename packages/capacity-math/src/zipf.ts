import { checkInteger, checkNumber, magnitudeMax } from './checks.ts'

export interface Zipf {
  /** H(n, s) = Σ k^-s over k from 1 to n, what the shares are divided by. */
  readonly harmonic: number
  /** Probability that two independent writes hit the same key: what optimistic concurrency aborts on. */
  readonly collision: number
  /** The share of the writes that the key of this rank gets; 1 is the hottest. */
  share(rank: number): number
  /** The share that the `top` hottest keys get together. */
  headShare(top: number): number
}

/**
 * Keys whose popularity falls as rank^-s (G. K. Zipf, 1949; YCSB uses s = 0.99). The sums are those of Euler and Maclaurin, at the
 * same cost for any number of keys.
 * @param skew.keys n, an integer from 1. @param skew.s from 0 (all equal) to 100.
 */
export function zipf(skew: { readonly keys: number; readonly s: number }): Zipf {
  const { keys, s } = skew
  checkInteger('keys', keys, 1)
  checkNumber('s', s, 0, 100)
  const harmonic = generalizedHarmonic(keys, s)
  const checkRank = (name: string, rank: number) => {
    checkInteger(name, rank, 1)
    checkNumber(name, rank, 1, keys)
  }
  return {
    harmonic,
    collision: generalizedHarmonic(keys, 2 * s) / (harmonic * harmonic),
    share(rank) {
      checkRank('rank', rank)
      return rank ** -s / harmonic
    },
    headShare(top) {
      checkRank('top', top)
      return generalizedHarmonic(top, s) / harmonic
    },
  }
}

/**
 * The most writes per second that the whole system can take while each write to a key holds it for `hold` seconds, one after the
 * other: 1 / (share of the hottest key × hold), whatever the number of nodes.
 */
export function hotKeyLimit(skew: { readonly keys: number; readonly s: number; readonly hold: number }): number {
  checkNumber('hold', skew.hold, 1 / magnitudeMax, magnitudeMax)
  return zipf(skew).harmonic / skew.hold
}

// B_2j / (2j)! for j from 1.
const bernoulli = [1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600]

function generalizedHarmonic(n: number, s: number): number {
  const from = 20 + Math.ceil(s)
  let sum = 0
  for (let k = Math.min(n, from - 1); k >= 1; k--) sum += k ** -s
  if (n < from) return sum
  // Σ from `from` to n = ∫ + (f(from) + f(n)) / 2 + Σ B_2j / (2j)! (f^(2j-1)(n) - f^(2j-1)(from)).
  const log = Math.log(n / from)
  const flat = (1 - s) * log
  const integral = from ** (1 - s) * (flat === 0 ? log : (Math.expm1(flat) / flat) * log)
  let rest = (from ** -s + n ** -s) / 2
  let rising = s
  bernoulli.forEach((factor, j) => {
    const power = -s - 2 * j - 1
    rest += factor * rising * (from ** power - n ** power)
    rising *= (s + 2 * j + 1) * (s + 2 * j + 2)
  })
  return sum + integral + rest
}
