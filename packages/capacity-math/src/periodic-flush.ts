import { checkInteger, checkNumber, checkRate, magnitudeMax } from './checks.ts'
import { type DeterministicQueue, deterministicQueue } from './deterministic-queue.ts'
import { type Distribution, distribution } from './distribution.ts'
import { constantTime, idleQueue } from './no-wait.ts'
import { poissonSf } from './poisson.ts'
import { population } from './population.ts'
import { differenceFromProduct } from './product.ts'
import type { StableQueue, UnstableQueue } from './queue.ts'

const assumptions: readonly string[] = Object.freeze([
  'arrivals are a Poisson process with a constant rate',
  'the clock flushes, whatever is there, and a flush takes no time',
  'a flush takes the oldest, up to the largest batch',
  'nobody is refused and nobody gives up',
])

/**
 * Writes that wait for a clock: every `interval` seconds the oldest are flushed, at most `maxBatch` at once. Of a write, half an
 * interval is for the clock, and the rest for full batches before it: Wq = Lq(M/D/b) / λ + T / 2 (N. T. J. Bailey, 1954).
 * @param buffer.lambda writes per second. @param buffer.interval T, in seconds. @param buffer.maxBatch b, an integer from 1 to 10,000.
 * @throws RangeError or TypeError naming the parameter. Overload is an answer: `stable` is false.
 */
export function periodicFlush(buffer: {
  readonly lambda: number
  readonly interval: number
  readonly maxBatch: number
}): StableQueue | UnstableQueue {
  const { lambda, interval, maxBatch } = buffer
  checkRate('lambda', lambda)
  checkNumber('interval', interval, 1 / magnitudeMax, magnitudeMax)
  checkInteger('maxBatch', maxBatch, 1)
  checkNumber('maxBatch', maxBatch, 1, 10_000)
  const perInterval = lambda * interval
  const slack = -differenceFromProduct(lambda, interval, maxBatch) / maxBatch
  const utilization = perInterval / maxBatch
  if (slack <= 0) return { kind: 'exact', assumptions, stable: false, utilization, throughput: maxBatch / interval }
  if (perInterval === 0) return idleQueue(constantTime(interval / 2), assumptions)
  const left = deterministicQueue(maxBatch, perInterval, slack)
  const Lq = left.mean + perInterval / 2
  const Wq = left.mean / lambda + interval / 2
  // Flushed in order of arrival, those that wait arrived during one wait: E N(N-1) = λ² E W², with N what was left and what has
  // come since the last flush.
  const second = (left.secondFactorial + left.mean * perInterval + perInterval ** 2 / 3) / lambda ** 2
  const wait = waitOf(left, buffer, { mean: Wq, variance: second - Wq * Wq })
  return {
    kind: 'exact',
    assumptions,
    stable: true,
    utilization,
    throughput: lambda,
    pWait: 1,
    pBlock: 0,
    pAbandon: 0,
    L: Lq,
    Lq,
    W: Wq,
    Wq,
    wait,
    response: wait,
    population: population({
      kind: 'exact',
      mean: Lq,
      pn: (n) => reach(left, perInterval, n) - reach(left, perInterval, n + 1),
      sf: (n) => reach(left, perInterval, n + 1),
    }),
  }
}

/** A write has what was left and what came before it in its interval ahead of it, and leaves with flush floor(ahead / b) + 1. */
function waitOf(
  left: DeterministicQueue,
  { lambda, interval, maxBatch }: { readonly lambda: number; readonly interval: number; readonly maxBatch: number },
  moments: { readonly mean: number; readonly variance: number },
): Distribution {
  return distribution({
    kind: 'exact',
    ...moments,
    above0: 1,
    sf(t) {
      const flushes = Math.floor(t / interval)
      // It came early enough in its interval to have more than the rest of `t` still before the next flush, or it did not.
      const early = Math.max(0, 1 - (t / interval - flushes))
      const whole = lambda * interval
      const [near, far] = [flushes * maxBatch, (flushes + 1) * maxBatch]
      return (
        early * reach(left, early * whole, near) + reach(left, whole, far) - early * reach(left, early * whole, far)
      )
    },
  })
}

/** P(Q + A ≥ n) on average over a stretch in which the arrivals A grow from none to a mean of `arrivals`. */
function reach(left: DeterministicQueue, arrivals: number, n: number): number {
  if (n === 0) return 1
  let sum = left.sf(n - 1)
  if (arrivals === 0) return sum
  for (let j = 1; j <= n; j++) {
    // The mean over the stretch of P(A ≥ j) is E max(0, A - j) / arrivals.
    const share = poissonSf(j - 1, arrivals) - (j / arrivals) * poissonSf(j, arrivals)
    if (share <= 0) break
    sum += share * left.pn(n - j)
  }
  return sum
}
