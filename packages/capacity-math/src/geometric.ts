/** Σ r^j over j from 0 to m - 1, from l = ln r, which tells r from 1 where r itself no longer does. */
export function geometricSum(l: number, m: number): number {
  if (m === 0) return 0
  return l === 0 ? m : Math.expm1(m * l) / Math.expm1(l)
}

/** ln Σ r^j, where the sum itself would leave the range of binary64. */
export function logGeometricSum(l: number, m: number): number {
  return l > 0 ? (m - 1) * l + Math.log(geometricSum(-l, m)) : Math.log(geometricSum(l, m))
}

/** The mean of j over 0 to m - 1 with weights r^j: (h(ml) - h(l)) / l with h(x) = x / (1 - e^-x). */
export function geometricMean(l: number, m: number): number {
  const x = m * l
  if (Math.abs(x) > 1) return (ramp(x) - ramp(l)) / l
  // h(x) = 1 + x/2 + Σ B_2k x^2k / (2k)!, so that the difference is divided by l term by term.
  let sum = 0
  for (let k = bernoulli.length - 1; k >= 0; k--) {
    sum = sum * x * x + bernoulli[k]! * (1 - m ** (-2 * k - 2))
  }
  return (m - 1) / 2 + sum * x * m
}

/** The variance of the same j: (q(l) - q(ml)) / l² with q(x) = x² / (4 sinh²(x/2)) = 1 - Σ (2k-1) B_2k x^2k / (2k)!. */
export function geometricVariance(l: number, m: number): number {
  const x = m * l
  if (Math.abs(x) > 1) return (bell(l) - bell(x)) / (l * l)
  let sum = 0
  for (let k = bernoulli.length - 1; k >= 0; k--) {
    sum = sum * x * x + (2 * k + 1) * bernoulli[k]! * (1 - m ** (-2 * k - 2))
  }
  return sum * m * m
}

function bell(x: number): number {
  if (Math.abs(x) < 1e-4) return 1 - (x * x) / 12
  return Math.abs(x) > 1400 ? 0 : (x / 2 / Math.sinh(x / 2)) ** 2
}

function ramp(x: number): number {
  return x === 0 ? 1 : x / -Math.expm1(-x)
}

// B_2k / (2k)! for k from 1.
const bernoulli: readonly number[] = [
  1 / 12,
  -1 / 720,
  1 / 30240,
  -1 / 1209600,
  1 / 47900160,
  -691 / 1307674368000,
  1 / 74724249600,
  -3617 / 10670622842880000,
  43867 / 5109094217170944000,
  -174611 / 802857662698291200000,
]
