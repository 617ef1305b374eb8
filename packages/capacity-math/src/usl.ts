import { checkNumber, checkRate, magnitudeMax } from './checks.ts'

/** The three numbers of the Universal Scalability Law. */
export interface UslParameters {
  /** Throughput of one worker alone, per second. */
  readonly lambda: number
  /** σ, contention: the share of the work that is serial, from 0 to 1. */
  readonly sigma: number
  /** κ, coherency: what each pair of workers costs, from 0 to 1. */
  readonly kappa: number
}

export interface Usl extends UslParameters {
  /** The best number of workers, sqrt((1-σ)/κ), and what it does; null where more workers always do more. */
  readonly peak: { readonly concurrency: number; readonly throughput: number } | null
  /** X(N) = λN / (1 + σ(N-1) + κN(N-1)), per second. */
  throughput(concurrency: number): number
  /** R(N) = N / X(N), in seconds. */
  latency(concurrency: number): number
  /** The smaller N with X(N) = x. @throws RangeError naming `throughput` and the peak where nothing reaches it. */
  concurrencyAtThroughput(throughput: number): number
  latencyAtThroughput(throughput: number): number
  /** The N with R(N) = r. @throws RangeError naming `latency` where no number of workers has it. */
  concurrencyAtLatency(latency: number): number
  throughputAtLatency(latency: number): number
}

/**
 * The Universal Scalability Law (N. J. Gunther, "A general theory of computational scalability based on rational functions", 2008)
 * and its inverses, each from the quadratic in N in the form in which nothing cancels.
 */
export function usl(parameters: UslParameters): Usl {
  const { lambda, sigma, kappa } = parameters
  checkNumber('lambda', lambda, 1 / magnitudeMax, magnitudeMax)
  checkNumber('sigma', sigma, 0, 1)
  checkNumber('kappa', kappa, 0, 1)
  if (kappa > 0) checkNumber('kappa', kappa, 1e-100, 1)
  // X = λ / ((1-σ)/N + (σ-κ) + κN)
  const linear = sigma - kappa
  const latency = (n: number) => {
    checkRate('concurrency', n)
    checkNumber('concurrency', n, 0, 1e15)
    return (1 - sigma + n * (linear + kappa * n)) / lambda
  }
  // Where one worker alone does all there is to do, λ: the peak is at N = 0 or 1, and the formula of the peak may divide by 0.
  const bend = linear + 2 * Math.sqrt(kappa * (1 - sigma))
  const most = bend > 0 ? lambda / bend : lambda
  const peak = kappa === 0 ? null : { concurrency: Math.sqrt((1 - sigma) / kappa), throughput: most }
  const concurrencyAtThroughput = (x: number) => {
    checkNumber('throughput', x, 0, magnitudeMax)
    // κN² - (λ/x - (σ-κ)) N + (1-σ) = 0, and λ/x - (σ-κ) is at least 2 sqrt(κ(1-σ)) up to the peak.
    const b = lambda / x - linear
    const discriminant = b * b - 4 * kappa * (1 - sigma)
    if (!(b > 0 && discriminant >= 0))
      throw new RangeError(`throughput must be up to ${most}, the most there is, received ${x}`)
    return x === 0 ? 0 : (2 * (1 - sigma)) / (b + Math.sqrt(discriminant))
  }
  const concurrencyAtLatency = (r: number) => {
    checkNumber('latency', r, 0, magnitudeMax)
    const surplus = lambda * r - 1 + sigma
    const root = Math.sqrt(linear * linear + 4 * kappa * surplus)
    const n = linear >= 0 ? (2 * surplus) / (linear + root) : (root - linear) / (2 * kappa)
    if (!(surplus >= 0 && Number.isFinite(n)))
      throw new RangeError(
        `latency must be from ${(1 - sigma) / lambda}, and none but that where sigma and kappa are 0, received ${r}`,
      )
    return n
  }
  return {
    lambda,
    sigma,
    kappa,
    peak,
    throughput: (n) => (n === 0 ? 0 : n / latency(n)),
    latency,
    concurrencyAtThroughput,
    latencyAtThroughput: (x) => (x === 0 ? (1 - sigma) / lambda : concurrencyAtThroughput(x) / x),
    concurrencyAtLatency,
    throughputAtLatency: (r) => (r === 0 ? 0 : concurrencyAtLatency(r) / r),
  }
}
