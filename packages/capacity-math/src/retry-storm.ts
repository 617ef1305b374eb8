import { checkInteger, checkNumber, magnitudeMax } from './checks.ts'
import { mmcTail } from './mmc.ts'
import { zeroBetween } from './zero.ts'

export interface RetryPolicy {
  /** What one server completes per second. */
  readonly mu: number
  /** c, an integer from 1; 1 by default. */
  readonly servers?: number
  /** Seconds after which a client gives an attempt up and sends the next. */
  readonly timeout: number
  /** Attempts after the first, from 0 to 1000. */
  readonly maxRetries: number
}

export interface RetryStorm {
  /**
   * `safe`: no congested state exists, whatever happens. `metastable`: all is well until something pushes the attempts over the
   * tipping point, and then it stays bad by itself. `collapse`: there is no good state.
   */
  readonly verdict: 'safe' | 'metastable' | 'collapse'
  /** Attempts per second in the good state; null in collapse. */
  readonly attempts: number | null
  /** Attempts per second from which on the good state is lost; null where there is no such point. */
  readonly tippingPoint: number | null
  /** Attempts per second in the congested state, λ (m+1); null where that is below the capacity. */
  readonly congested: number | null
  /** Requests per second below which no congested state exists: c μ / (m + 1). */
  readonly safeBelow: number
  /** Requests per second above which no good state exists. */
  readonly collapseAt: number
}

/** Attempts per request when each fails with probability `p` and up to `maxRetries` follow: Σ p^i. */
export function retryAmplification(policy: { readonly p: number; readonly maxRetries: number }): number {
  const { p, maxRetries } = policy
  checkNumber('p', p, 0, 1)
  checkRetries(maxRetries)
  return amplification(p, maxRetries)
}

/**
 * What timeouts and retries do to a service: the attempts L per second are a fixed point of L = λ Σ_(i ≤ m) p(L)^i, with p(L) the share
 * of attempts that outlast the timeout in M/M/c. λ(L) = L / Σ p^i rises to `collapseAt` and falls again, so that there are at most two
 * of them below the capacity (N. Bronson et al., "Metastable failures in distributed systems", 2021, for the phenomenon).
 * @throws RangeError or TypeError naming the parameter.
 */
export function retryStorm(demand: RetryPolicy & { readonly lambda: number }): RetryStorm {
  const { lambda, mu, servers = 1, timeout, maxRetries } = demand
  checkNumber('lambda', lambda, 1 / magnitudeMax, magnitudeMax)
  checkNumber('mu', mu, 1 / magnitudeMax, magnitudeMax)
  checkInteger('servers', servers, 1)
  checkNumber('timeout', timeout, 0, magnitudeMax)
  checkRetries(maxRetries)
  const capacity = servers * mu
  const requests = (attempts: number) => attempts / amplification(lateShare(attempts, mu, servers, timeout), maxRetries)
  const best = peak(requests, capacity)
  const collapseAt = requests(best)
  const safeBelow = capacity / (maxRetries + 1)
  const congested = lambda >= safeBelow ? lambda * (maxRetries + 1) : null
  if (lambda > collapseAt)
    return { verdict: 'collapse', attempts: null, tippingPoint: null, congested, safeBelow, collapseAt }
  const excess = (attempts: number) => requests(attempts) - lambda
  const attempts = requests(best) === lambda ? best : zeroBetween(excess, 0, best)
  const tips = best < capacity && lambda > safeBelow && lambda < collapseAt
  const tippingPoint = tips ? zeroBetween(excess, best, capacity) : null
  return {
    verdict: congested === null ? 'safe' : 'metastable',
    attempts,
    tippingPoint,
    congested,
    safeBelow,
    collapseAt,
  }
}

/** The most retries with which no congested state can exist at this load: the retry budget. */
export function safeRetries(demand: {
  readonly lambda: number
  readonly mu: number
  readonly servers?: number
}): number {
  const { lambda, mu, servers = 1 } = demand
  checkNumber('lambda', lambda, 1 / magnitudeMax, magnitudeMax)
  checkNumber('mu', mu, 1 / magnitudeMax, magnitudeMax)
  checkInteger('servers', servers, 1)
  if (lambda >= servers * mu)
    throw new RangeError(`lambda must be below servers × mu = ${servers * mu}, received ${lambda}`)
  return Math.min(1000, Math.ceil((servers * mu) / lambda) - 2)
}

function amplification(p: number, maxRetries: number): number {
  let sum = 1
  for (let i = 0; i < maxRetries; i++) sum = 1 + p * sum
  return sum
}

function lateShare(attempts: number, mu: number, servers: number, timeout: number): number {
  if (attempts >= servers * mu) return 1
  if (servers === 1) return Math.exp(-(mu - attempts) * timeout)
  return mmcTail({ lambda: attempts, mu, servers }, 'response', timeout)
}

/** Where `requests`, which rises and then falls, is largest: golden section. Half of the digits of the place give all of the value. */
function peak(requests: (attempts: number) => number, capacity: number): number {
  const golden = (Math.sqrt(5) - 1) / 2
  let [low, high] = [0, capacity]
  let [a, b] = [high - golden * (high - low), low + golden * (high - low)]
  let [fa, fb] = [requests(a), requests(b)]
  while (high - low > 1e-9 * capacity) {
    if (fa < fb) {
      low = a
      ;[a, fa] = [b, fb]
      b = low + golden * (high - low)
      fb = requests(b)
    } else {
      high = b
      ;[b, fb] = [a, fa]
      a = high - golden * (high - low)
      fa = requests(a)
    }
  }
  return requests(capacity) > Math.max(fa, fb) ? capacity : fa > fb ? a : b
}

function checkRetries(maxRetries: number): void {
  checkInteger('maxRetries', maxRetries, 0)
  checkNumber('maxRetries', maxRetries, 0, 1000)
}
