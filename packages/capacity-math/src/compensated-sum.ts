/**
 * A running sum and what rounding has left out of it (A. Neumaier, 1974; the step is D. E. Knuth's two-sum, which needs no branch): after
 * n terms the two together are off by 2^-52, not n 2^-53.
 */
export interface CompensatedSum {
  sum: number
  lost: number
}

export function compensatedSum(): CompensatedSum {
  // V8 keeps a field that begins as -0 as a floating-point number, and one that begins as 0 as an integer, until it is none.
  return { sum: -0, lost: -0 }
}

export function addTo(total: CompensatedSum, value: number): void {
  const { sum } = total
  const next = sum + value
  const added = next - sum
  total.lost += sum - (next - added) + (value - added)
  total.sum = next
}

export function totalOf({ sum, lost }: CompensatedSum): number {
  return 0 + sum + lost
}
