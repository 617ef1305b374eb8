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
  /** How long the last of a line takes to be answered, while a batch is under way or not. */
  lineMs(line: {
    /** Those in the line, the last included. */
    readonly ahead: number
    readonly batchMax: number
    /** The size of the batch that is under way, 0 for none, and since when. */
    readonly inBatch: number
    readonly elapsedMs: number
  }): number
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

  const predictMs = (writes: number) => (writes === 0 ? 0 : fixedMs + perWriteMs * writes)

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
    predictMs,
    lineMs({ ahead, batchMax, inBatch, elapsedMs }) {
      const whole = Math.floor(ahead / batchMax)
      const rest = ahead - whole * batchMax
      // A batch is answered as a whole, and others join it before its turn comes.
      const last = rest === 0 ? 0 : Math.max(rest, Math.min(batchMax, meanWrites))
      const batches = whole + Math.sign(rest) + Math.sign(inBatch)
      // One that is overdue by some time is expected to take as long again.
      const current = inBatch === 0 ? 0 : Math.abs(predictMs(inBatch) - elapsedMs)
      // Who is let in should be answered in time, not just in half of the cases. Four mean deviations are what TCP waits for
      // an answer on top of the usual (V. Jacobson, "Congestion avoidance and control", 1988).
      const margin = 4 * deviationMs * Math.sqrt(batches)
      return current + whole * predictMs(batchMax) + predictMs(last) + margin
    },
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
