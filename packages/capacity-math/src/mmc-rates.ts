import { checkInteger, checkNumber, checkProbability, magnitudeMax } from './checks.ts'
import { mmc, mmcTail } from './mmc.ts'
import { zeroBetween } from './zero.ts'

export interface Pool {
  /** What one server completes per second when busy. */
  readonly mu: number
  /** c, an integer from 1 to 1e15. */
  readonly servers: number
}

/** The most arrivals per second of which at most the share `share` waits longer than `t` seconds: M/M/c. */
export function maxRateForWaitTail(pool: Pool & { readonly t: number; readonly share: number }): number {
  const { mu, servers, t, share } = pool
  checkTail(pool)
  return largest(pool, share, (lambda) => mmcTail({ lambda, mu, servers }, 'wait', t))
}

/**
 * The most arrivals per second of which at most the share `share` takes longer than `t` seconds, wait and service: M/M/c.
 * @throws RangeError naming `t` where the service alone takes that long too often.
 */
export function maxRateForResponseTail(pool: Pool & { readonly t: number; readonly share: number }): number {
  const { mu, servers, t, share } = pool
  checkTail(pool)
  if (Math.exp(-mu * t) >= share)
    throw new RangeError(
      `t must be above ${-Math.log(share) / mu}, which the service alone exceeds that often, received ${t}`,
    )
  return largest(pool, share, (lambda) => mmcTail({ lambda, mu, servers }, 'response', t))
}

/** The most arrivals per second that wait `Wq` seconds on average: M/M/c. */
export function maxRateForMeanWait(pool: Pool & { readonly Wq: number }): number {
  const { mu, servers, Wq } = pool
  checkPool(pool)
  checkNumber('Wq', Wq, 1 / magnitudeMax, magnitudeMax)
  return largest(pool, Wq, (lambda) => {
    const queue = mmc({ lambda, mu, servers })
    return queue.stable ? queue.Wq : magnitudeMax
  })
}

/** Up to which rate what grows with it stays within its bound; 0 where that is less than a rate may be, 1e-100. */
function largest({ mu, servers }: Pool, bound: number, grows: (lambda: number) => number): number {
  const saturation = Math.min(servers * mu, magnitudeMax)
  const excess = (lambda: number) => Math.log(Math.max(grows(lambda), Number.MIN_VALUE)) - Math.log(bound)
  const half = saturation / 2
  if (excess(half) < 0) return excess(saturation) <= 0 ? saturation : zeroBetween(excess, half, saturation)
  // In logarithms, so that small rates have all of their digits, too.
  const least = -230.25
  if (half <= Math.exp(least) || excess(Math.exp(least)) > 0) return 0
  return Math.exp(zeroBetween((log) => excess(Math.exp(log)), least, Math.log(half)))
}

function checkTail(pool: Pool & { readonly t: number; readonly share: number }): void {
  checkPool(pool)
  checkNumber('t', pool.t, 0, magnitudeMax)
  checkProbability('share', pool.share)
}

function checkPool({ mu, servers }: Pool): void {
  checkNumber('mu', mu, 1 / magnitudeMax, magnitudeMax)
  checkInteger('servers', servers, 1)
  checkNumber('servers', servers, 1, 1e15)
}
