/**
 * ln(n! / (sqrt(2πn) (n/e)^n)), the error of Stirling's formula, for real n > 0.
 * Asymptotic series: Abramowitz & Stegun 6.1.41. Below 10 the argument is first shifted up with Γ(n+1) = n Γ(n).
 */
export function stirlingError(n: number): number {
  if (n >= 10) return stirlingSeries(n)
  if (Number.isInteger(n)) return tabulated[n]!
  return shiftedUp(n)
}

function shiftedUp(n: number): number {
  let shift = 0
  let m = n
  for (; m < 10; m++) shift += (m + 0.5) * Math.log1p(1 / m) - 1
  return shift + stirlingSeries(m)
}

function stirlingSeries(n: number): number {
  const w = 1 / (n * n)
  const tail = 1 / 1188 - w * (691 / 360360 - w * (1 / 156 - (w * 3617) / 122400))
  return (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w * tail)))) / n
}

const tabulated: readonly number[] = /* @__PURE__ */ Array.from({ length: 10 }, (_, n) => (n === 0 ? 0 : shiftedUp(n)))

/** The deviance n ln(n/x) + x - n ≥ 0, for n > 0, x > 0, to full relative accuracy where n and x are close. */
export function deviance(n: number, x: number): number {
  const u = (x - n) / n
  if (u > -0.4 && u < 0.5) return n * logDefect(u)
  const ratio = n / x
  return n * (ratio > 0 && ratio < Number.POSITIVE_INFINITY ? Math.log(ratio) : Math.log(n) - Math.log(x)) + (x - n)
}

/**
 * u - ln(1+u) ≥ 0 for u > -1, to full relative accuracy also near 0: ln(1+u) is 2 atanh(r) with r = u/(2+u) (C. Loader, "Fast and
 * accurate computation of binomial probabilities", 2000).
 */
export function logDefect(u: number): number {
  if (!(u > -0.4 && u < 0.5)) return u - Math.log1p(u)
  const r = u / (2 + u)
  const square = r * r
  let sum = 0
  // |r| < 0.25: the first term left out is below 2^-53 of the sum.
  for (let j = 13; j >= 1; j--) sum = square * (1 / (2 * j + 1) + sum)
  return r * (u - 2 * sum)
}

/** ln(e^-x x^n / Γ(n+1)) for real n ≥ 0 and x > 0 in Loader's saddle-point form: no power that overflows, no large cancelling terms. */
export function logPoissonTerm(n: number, x: number): number {
  if (n < 1e-300) return -x
  return -deviance(n, x) - stirlingError(n) - 0.5 * Math.log(2 * Math.PI * n)
}

/** e^-x x^n / Γ(n+1) for real n ≥ 0 and x > 0; underflows to 0 only where the value is below the smallest number. */
export function poissonTerm(n: number, x: number): number {
  if (n < 1e-300) return Math.exp(-x)
  return Math.exp(-deviance(n, x) - stirlingError(n)) / Math.sqrt(2 * Math.PI * n)
}
