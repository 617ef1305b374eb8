/**
 * b(0) + a(1) / (b(1) + a(2) / (b(2) + …)) with a(k) = a0 + a1 k + a2 k² and b(k) = b0 + b1 k: Lentz's method, until a further step
 * does not change it.
 */
export function continuedFraction(a0: number, a1: number, a2: number, b0: number, b1: number): number {
  let value = b0
  let c = b0
  let d = 0
  for (let k = 1; ; k++) {
    const a = a0 + k * (a1 + a2 * k)
    const b = b0 + b1 * k
    d = 1 / (b + a * d)
    c = b + a / c
    value *= c * d
    if (Math.abs(c * d - 1) < 2 ** -52) return value
  }
}
