import { checkInteger, checkNumber, checkRate } from './checks.ts'

export interface MulticlassNetwork {
  /** Completions per second of each class. */
  readonly X: readonly number[]
  /** R[class][station]: mean seconds that a request of the class spends at the station in all. */
  readonly R: readonly (readonly number[])[]
  /** Q[class][station]: mean number of the class at the station. */
  readonly Q: readonly (readonly number[])[]
}

/**
 * A closed network with several classes, exact mean value analysis over all populations up to the given one (Reiser & Lavenberg, 1980).
 * Those at a station share it equally, and their services may be of any distribution; or it serves in order of arrival, and then they are
 * exponential and a visit takes all classes the same mean time (F. Baskett et al., 1975).
 * @param network.demands demands[class][station], in seconds. @param network.delay which stations never make anybody wait.
 * @param network.populations of each class; the product of (population + 1) may be up to 1e6.
 */
export function mvaMulticlass(network: {
  readonly demands: readonly (readonly number[])[]
  readonly populations: readonly number[]
  readonly thinkTimes: readonly number[]
  readonly delay: readonly boolean[]
}): MulticlassNetwork {
  const { demands, populations, thinkTimes, delay } = network
  checkNetwork(network)
  const classes = populations.length
  const stations = delay.length
  // Populations as numbers with one digit per class.
  const strides = populations.map((_, r) => populations.slice(0, r).reduce((product, n) => product * (n + 1), 1))
  const count = populations.reduce((product, n) => product * (n + 1), 1)
  const lengths = new Float64Array(count * stations)
  const R = populations.map(() => new Array<number>(stations).fill(0))
  const X = populations.map(() => 0)
  for (let state = 1; state < count; state++) {
    for (let r = 0; r < classes; r++) {
      const n = Math.floor(state / strides[r]!) % (populations[r]! + 1)
      const times = R[r]!
      let total = thinkTimes[r]!
      for (let k = 0; k < stations; k++) {
        const seen = delay[k] || n === 0 ? 0 : lengths[(state - strides[r]!) * stations + k]!
        times[k] = demands[r]![k]! * (1 + seen)
        total += times[k]!
      }
      X[r] = n === 0 ? 0 : n / total
      for (let k = 0; k < stations; k++) lengths[state * stations + k]! += X[r]! * times[k]!
    }
  }
  return { X, R, Q: R.map((times, r) => times.map((time) => X[r]! * time)) }
}

function checkNetwork(network: Parameters<typeof mvaMulticlass>[0]): void {
  const { demands, populations, thinkTimes, delay } = network
  if (demands.length !== populations.length || thinkTimes.length !== populations.length)
    throw new RangeError('demands, populations and thinkTimes must have one entry per class')
  for (const n of populations) checkInteger('populations', n, 0)
  checkNumber(
    'the product of populations + 1',
    populations.reduce((product, n) => product * (n + 1), 1),
    1,
    1e6,
  )
  demands.forEach((row, r) => {
    if (row.length !== delay.length) throw new RangeError('demands must have one entry per station in every class')
    for (const demand of row) checkRate('demands', demand)
    checkRate('thinkTimes', thinkTimes[r])
    if (!(thinkTimes[r]! + row.reduce((sum, it) => sum + it, 0) > 0))
      throw new RangeError('demands and thinkTimes must not all be 0 in a class')
  })
}
