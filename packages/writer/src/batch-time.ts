/**
 * How long a batch takes as a function of its size: a straight line, the fixed part for the transaction and the disk, the
 * slope for each write, fitted to what was seen lately (least squares, older batches weigh less and less).
 */
export interface BatchTime {
  observe(writes: number, ms: number): void
  /** Expected milliseconds for a batch of this size; 0 before anything was seen. */
  predictMs(writes: number): number
  /** How large batches have been lately; 0 before anything was seen. */
  readonly usualWrites: number
  readonly fixedMs: number
  readonly perWriteMs: number
  /** How far batches lie off the line, on average. One that was stuck for a moment weighs less in it than in a variance. */
  readonly deviationMs: number
}

export function batchTime(): BatchTime {
  // One batch counts for as much as the 32 before it together lose.
  const keep = 1 - 1 / 32
  let weight = 0
  let meanWrites = 0
  let meanMs = 0
  let varianceWrites = 0
  let covariance = 0
  // Computed once for a batch: admission asks for every write.
  let fixedMs = 0
  let perWriteMs = 0
  let deviationMs = 0

  function slope(): number {
    // Batches of one size say nothing of the slope. Taking all as fixed admits too much for a moment, and then learns;
    // taking all as slope would refuse a burst that one batch can carry.
    if (varianceWrites < 1e-6 * (1 + meanWrites * meanWrites)) return 0
    return Math.min(Math.max(0, covariance / varianceWrites), meanMs / Math.max(1, meanWrites))
  }

  return {
    observe(writes, ms) {
      const offMs = weight === 0 ? 0 : Math.abs(ms - fixedMs - perWriteMs * writes)
      weight = weight * keep + 1
      const share = 1 / weight
      deviationMs += (offMs - deviationMs) * share
      const dWrites = writes - meanWrites
      const dMs = ms - meanMs
      meanWrites += dWrites * share
      meanMs += dMs * share
      // Exponentially weighted form of Welford's update (T. Finch, "Incremental calculation of weighted mean and variance", 2009, eq. 143).
      varianceWrites = (1 - share) * (varianceWrites + share * dWrites * dWrites)
      covariance = (1 - share) * (covariance + share * dWrites * dMs)
      perWriteMs = slope()
      fixedMs = Math.max(0, meanMs - perWriteMs * meanWrites)
    },
    predictMs: (writes) => (writes === 0 ? 0 : fixedMs + perWriteMs * writes),
    get usualWrites() {
      return meanWrites
    },
    get fixedMs() {
      return fixedMs
    },
    get perWriteMs() {
      return perWriteMs
    },
    get deviationMs() {
      return deviationMs
    },
  }
}
