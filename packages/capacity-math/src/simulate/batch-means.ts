/** A mean from a simulation, with the standard error that its batches show. */
export interface Measured {
  readonly mean: number
  readonly error: number
}

export interface BatchMeans {
  add(value: number): void
  result(): Measured
}

/**
 * The mean of values that depend on each other: `batches` long stretches are nearly independent, and their spread gives the error
 * (L. Schmeiser, 1982, for how few are enough). The values of a batch that is not full at the end are left out.
 */
export function batchMeans(values: number, batches = 30): BatchMeans {
  const size = Math.max(1, Math.floor(values / batches))
  const means: number[] = []
  let [sum, count] = [0, 0]
  return {
    add(value) {
      sum += value
      count += 1
      if (count < size) return
      means.push(sum / size)
      ;[sum, count] = [0, 0]
    },
    result() {
      const mean = means.reduce((total, it) => total + it, 0) / means.length
      const squares = means.reduce((total, it) => total + (it - mean) ** 2, 0)
      return { mean, error: Math.sqrt(squares / (means.length - 1) / means.length) }
    },
  }
}

/** The same of values that are all there. */
export function measured(values: readonly number[]): Measured {
  const means = batchMeans(values.length)
  for (const value of values) means.add(value)
  return means.result()
}
