import { checkInteger, checkNumber, magnitudeMax } from './checks.ts'
import { type Distribution, distribution, inverseTail } from './distribution.ts'
import { deviance, stirlingError } from './saddle-point.ts'
import { sumFromMode } from './sum-from-mode.ts'
import { zeroBetween } from './zero.ts'

/**
 * The time until `k` of `n` have answered, each after an independent exponential time with rate `mu`: a lock that needs a majority,
 * a write that needs k acknowledgements. The k-th order statistic (H. A. David, "Order statistics", 1970): mean (H_n - H_(n-k)) / μ.
 * @param quorum.k an integer from 1 to n. @param quorum.n an integer to 1e6.
 */
export function quorumTime(quorum: { readonly k: number; readonly n: number; readonly mu: number }): Distribution {
  const { k, n, mu } = quorum
  checkInteger('n', n, 1)
  checkNumber('n', n, 1, 1e6)
  checkInteger('k', k, 1)
  checkNumber('k', k, 1, n)
  checkNumber('mu', mu, 1 / magnitudeMax, magnitudeMax)
  let [mean, variance] = [0, 0]
  for (let i = n; i > n - k; i--) {
    mean += 1 / i / mu
    variance += 1 / (i * mu) ** 2
  }
  const share = (t: number, first: number, last: number) => {
    const [p, q] = [-Math.expm1(-mu * t), Math.exp(-mu * t)]
    return Math.min(
      1,
      sumFromMode((j) => binomialTerm(j, n, p, q), n * p, first, last),
    )
  }
  const cdf = (t: number) => share(t, k, n)
  const sf = (t: number) => share(t, 0, k - 1)
  return distribution({
    kind: 'exact',
    mean,
    variance,
    above0: 1,
    cdf,
    sf,
    isf(q) {
      if (q < 0.5) return inverseTail(sf, q, mean)
      let low = mean
      while (cdf(low) > 1 - q) low /= 2
      const target = Math.log1p(-q)
      return low === mean ? inverseTail(sf, q, mean) : zeroBetween((t) => Math.log(cdf(t)) - target, low, 2 * low)
    },
  })
}

/** n! / (j! (n-j)!) p^j q^(n-j) in Loader's saddle-point form (2000). */
function binomialTerm(j: number, n: number, p: number, q: number): number {
  if (j === 0) return q ** n
  if (j === n) return p ** n
  if (p === 0 || q === 0) return 0
  const error = stirlingError(n) - stirlingError(j) - stirlingError(n - j)
  return Math.exp(error - deviance(j, n * p) - deviance(n - j, n * q)) * Math.sqrt(n / (2 * Math.PI * j * (n - j)))
}
