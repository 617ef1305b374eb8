/** x with A x = b, by elimination with the largest pivot. @throws RangeError where A is singular. */
export function solveLinear(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!])
  const size = rows.length
  for (let k = 0; k < size; k++) {
    let pivot = k
    for (let i = k + 1; i < size; i++) if (Math.abs(rows[i]![k]!) > Math.abs(rows[pivot]![k]!)) pivot = i
    ;[rows[k], rows[pivot]] = [rows[pivot]!, rows[k]!]
    const top = rows[k]!
    if (top[k] === 0) throw new RangeError('the system of equations has no single solution')
    for (let i = k + 1; i < size; i++) {
      const row = rows[i]!
      const factor = row[k]! / top[k]!
      for (let j = k; j <= size; j++) row[j]! -= factor * top[j]!
    }
  }
  const x = new Array<number>(size).fill(0)
  for (let k = size - 1; k >= 0; k--) {
    let sum = rows[k]![size]!
    for (let j = k + 1; j < size; j++) sum -= rows[k]![j]! * x[j]!
    x[k] = sum / rows[k]![k]!
  }
  return x
}
