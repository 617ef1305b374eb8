import { checkNumber, magnitudeMax } from './checks.ts'
import { type Distribution, distribution } from './distribution.ts'

/**
 * The time through stations one after the other, each exponential with its own rate and independent: a hypoexponential time, also
 * where rates are equal or nearly so. Of M/M/1 stations in a row, first come first served, the rates are μ_i - λ (E. Reich, 1957).
 * @param rates per second, 1 to 64 of them.
 */
export function tandemTime(rates: readonly number[]): Distribution {
  if (rates.length < 1 || rates.length > 64)
    throw new RangeError(`rates must have 1 to 64 entries, received ${rates.length}`)
  for (const rate of rates) checkNumber('rates', rate, 1 / magnitudeMax, magnitudeMax)
  return distribution({
    kind: 'exact',
    mean: rates.reduce((sum, rate) => sum + 1 / rate, 0),
    variance: rates.reduce((sum, rate) => sum + 1 / rate ** 2, 0),
    above0: 1,
    sf: (t) => Math.min(1, stillInside(rates, t)),
  })
}

/**
 * Sum of the first row of exp(T t), T with -rate on the diagonal and rate beside it: a short time by its series, all terms positive
 * after a shift, then squared up to t, with the diagonal put right each time.
 */
function stillInside(rates: readonly number[], t: number): number {
  const fastest = Math.max(...rates)
  const doublings = Math.max(0, Math.ceil(Math.log2(Math.max(1, fastest * t))))
  let h = t / 2 ** doublings
  let matrix = shortTime(rates, h, fastest)
  for (let i = 0; i < doublings; i++) {
    h *= 2
    matrix = square(matrix)
    for (const [k, rate] of rates.entries()) matrix[k]![k] = Math.exp(-rate * h)
  }
  return matrix[0]!.reduce((sum, value) => sum + value, 0)
}

/** e^-fh Σ ((T + f) h)^j / j! with f the fastest rate and f h ≤ 1. */
function shortTime(rates: readonly number[], h: number, fastest: number): number[][] {
  const size = rates.length
  const scale = Math.exp(-fastest * h)
  return rates.map((_, row) => {
    let term = Array.from({ length: size }, (_, k) => Number(k === row))
    const sum = [...term]
    for (let j = 1; j < 24 + size; j++) {
      term = term.map(
        (value, k) => ((value * (fastest - rates[k]!) + (k > 0 ? term[k - 1]! * rates[k - 1]! : 0)) * h) / j,
      )
      term.forEach((value, k) => {
        sum[k]! += value
      })
    }
    return sum.map((value) => value * scale)
  })
}

function square(matrix: readonly (readonly number[])[]): number[][] {
  return matrix.map((row, i) =>
    row.map((_, j) => {
      let sum = 0
      for (let k = i; k <= j; k++) sum += row[k]! * matrix[k]![j]!
      return sum
    }),
  )
}
