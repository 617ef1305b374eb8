/**
 * a × b - c with the error of the product added back, so that a difference of nearly equal numbers keeps its digits. Falls back to
 * the plain difference where an intermediate result would overflow.
 */
export function differenceFromProduct(a: number, b: number, c: number): number {
  const [product, error] = twoProduct(a, b)
  const difference = product - c
  return Number.isFinite(error) ? difference + error : difference
}

/** a × b and what its rounding left out (T. J. Dekker, "A floating-point technique for extending the available precision", 1971). */
export function twoProduct(a: number, b: number): [product: number, error: number] {
  const product = a * b
  const [aHigh, aLow] = halves(a)
  const [bHigh, bLow] = halves(b)
  return [product, aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow)]
}

/** Two numbers of at most 26 bits each whose sum is `a`, so that products of them are exact. */
function halves(a: number): [number, number] {
  const scaled = a * 134_217_729
  const high = scaled - (scaled - a)
  return [high, a - high]
}
