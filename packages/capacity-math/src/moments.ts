/** Mean and central moments of what was added, one value at a time (P. Pébay, "Formulas for robust, one-pass parallel computation", 2008). */
export interface Moments {
  add(x: number): void
  count(): number
  mean(): number
  /** Σ (x - mean)^r for r = 2, 3, 4. */
  sums(): readonly [second: number, third: number, fourth: number]
}

export function moments(): Moments {
  let [n, mean, m2, m3, m4] = [0, 0, 0, 0, 0]
  return {
    add(x) {
      const before = n
      n += 1
      const delta = x - mean
      const share = delta / n
      const term = delta * share * before
      mean += share
      m4 += term * share * share * (n * n - 3 * n + 3) + 6 * share * share * m2 - 4 * share * m3
      m3 += term * share * (n - 2) - 3 * share * m2
      m2 += term
    },
    count: () => n,
    mean: () => mean,
    sums: () => [m2, m3, m4],
  }
}
