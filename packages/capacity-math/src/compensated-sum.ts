/**
 * A running sum in two numbers, the second of which is what rounding has left out of the first (A. Neumaier, 1974): after n terms the
 * two together are off by 2^-52, not n 2^-53. A Float64Array holds them, as its elements change without an allocation.
 */
export type CompensatedSum = Float64Array

export function compensatedSum(): CompensatedSum {
  return new Float64Array(2)
}

export function addTo(total: CompensatedSum, value: number): void {
  const sum = total[0]!
  const next = sum + value
  total[1]! += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum
  total[0] = next
}

export function totalOf(total: CompensatedSum): number {
  return total[0]! + total[1]!
}
