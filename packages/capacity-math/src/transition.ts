import { deviance, stirlingError } from './saddle-point.ts'
import { scaledErfc } from './scaled-erfc.ts'

/** From this `a` on, and for x / a from 0.55 to 1.55, {@link transition} is right to the last digits. */
export const transitionMin = 40

/**
 * Q(a, x) / t for x ≥ a, else P(a, x) / t, with t = e^-x x^(a-1) / Γ(a): N. M. Temme's uniform expansion where x is near a
 * ("The asymptotic expansion of the incomplete gamma functions", 1979; DLMF 8.12). Its leading term is erfc, which in units
 * of t becomes erfcx, so that nothing underflows however far the tail.
 */
export function transition(a: number, x: number): number {
  const y = deviance(a, x)
  const eta = Math.sqrt((2 * y) / a) * (x < a ? -1 : 1)
  let rest = 0
  let power = 1
  for (const row of rows) {
    let sum = 0
    for (let n = row.length - 1; n >= 0; n--) sum = sum * eta + row[n]!
    rest += sum * power
    power /= a
    if (power < 1e-17) break
  }
  const root = Math.sqrt(2 * Math.PI * a)
  const tail = scaledErfc(Math.sqrt(y)) / 2 + (x < a ? -rest : rest) / root
  return tail * root * Math.exp(stirlingError(a)) * (x / a)
}

// Γ(a) = sqrt(2π/a) (a/e)^a Σ g_k a^-k (DLMF 5.11.3 and 5.11.4).
const gammaSeries: readonly number[] = [
  1,
  1 / 12,
  1 / 288,
  -139 / 51840,
  -571 / 2488320,
  163879 / 209018880,
  5246819 / 75246796800,
  -534703531 / 902961561600,
]

// d(k, n) of DLMF 8.12.12, the coefficient of η^n / a^k. They are computed and not printed: with 8 rows that thin out from 22
// terms, every one is right to 2^-58 of the largest.
const rows: readonly Float64Array[] = /* @__PURE__ */ expansion(8, 22)

function expansion(count: number, length: number): Float64Array[] {
  const size = length + 2 * count + 2
  // α of DLMF 8.12.11, from μ μ' = η (1 + μ) with μ = η + α_2 η² + …
  const alpha = [0, 1]
  for (let n = 2; n <= size; n++) {
    let sum = alpha[n - 1]!
    for (let i = 2; i < n; i++) sum -= alpha[i]! * (n + 1 - i) * alpha[n + 1 - i]!
    alpha.push(sum / (n + 1))
  }
  const first = Array.from({ length: size - 1 }, (_, n) => (n === 0 ? -1 / 3 : (n + 2) * alpha[n + 2]!))
  const list = [first]
  for (let k = 1; k < count; k++) {
    const before = list[k - 1]!
    const sign = k % 2 ? -1 : 1
    list.push(first.slice(0, size - 1 - 2 * k).map((d, n) => sign * gammaSeries[k]! * d + (n + 2) * before[n + 2]!))
  }
  return list.map((row, k) => Float64Array.from(row.slice(0, length - 2 * k)))
}
