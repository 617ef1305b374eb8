/**
 * What is left after `x` time constants: e^-x to second order, and 0 after an hour. Not `Math.exp`, whose last digit differs
 * between versions of V8: the same seed and the same events must give the same choices everywhere.
 */
export function fade(x: number): number {
  // Both are of the second order and differ by x^4 / 4; the usual case is done without a division.
  return x < 0.01 ? 1 - x + (x * x) / 2 : 1 / growth(x)
}

/** One over what is left. */
export function growth(x: number): number {
  return 1 + x + (x * x) / 2
}
