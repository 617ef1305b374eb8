import { checkProbability } from './checks.ts'
import { scaledErfc } from './scaled-erfc.ts'

/** The z that a standard normal number exceeds with probability q, for 0 < q ≤ 1/2. */
export function normalIsf(q: number): number {
  checkProbability('q', q)
  let z = roughNormalIsf(q)
  // Newton's method on the logarithm of the tail; three steps reach the last digits from 4.5e-4.
  for (let round = 0; round < 3; round++) {
    const scaled = scaledErfc(Math.max(0, z) / Math.SQRT2) / 2
    z = Math.max(0, z + scaled * Math.sqrt(2 * Math.PI) * (Math.log(scaled) - (z * z) / 2 - Math.log(q)))
  }
  return z
}

/** The same to 4.5e-4: Abramowitz & Stegun 26.2.23. */
export function roughNormalIsf(q: number): number {
  const t = Math.sqrt(-2 * Math.log(q))
  return t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
}
