import { checkNumber, checkProbability, magnitudeMax } from './checks.ts'
import { halfinWhittBeta } from './halfin-whitt.ts'
import { mmc } from './mmc.ts'
import type { StableQueue } from './queue.ts'
import { smallestInteger } from './smallest-integer.ts'
import { atMost, meanWaitMargin, waitingMargin } from './ties.ts'

export interface Demand {
  /** Arrivals per second. */
  readonly lambda: number
  /** What one server completes per second when busy. */
  readonly mu: number
}

/** The smallest number of servers with which at most the share `share` waits longer than `t` seconds: M/M/c. */
export function minServersForWaitTail(demand: Demand & { readonly t: number; readonly share: number }): number {
  const { t, share } = demand
  checkNumber('t', t, 0, magnitudeMax)
  checkProbability('share', share)
  const meets = (queue: StableQueue, servers: number) =>
    // After any time but 0 the share is not a ratio of whole numbers, and there are no ties.
    t === 0
      ? atMost(queue.pWait, share, servers, () => waitingMargin({ ...demand, servers }, share))
      : queue.wait.sf(t) <= share
  return search(demand, meets, guessForTail(demand, t, share))
}

/** The smallest number of servers with which the mean wait is at most `Wq` seconds: M/M/c. */
export function minServersForMeanWait(demand: Demand & { readonly Wq: number }): number {
  const { Wq } = demand
  checkNumber('Wq', Wq, 1 / magnitudeMax, magnitudeMax)
  const meets = (queue: StableQueue, servers: number) =>
    atMost(queue.Wq, Wq, servers, () => meanWaitMargin({ ...demand, servers }, Wq))
  return search(demand, meets, demand.lambda / demand.mu)
}

/**
 * The smallest number of servers with which at most the share `share` takes longer than `t` seconds, wait and service: M/M/c.
 * @throws RangeError naming `t` where the service alone takes that long too often.
 */
export function minServersForResponseTail(demand: Demand & { readonly t: number; readonly share: number }): number {
  const { mu, t, share } = demand
  checkNumber('t', t, 0, magnitudeMax)
  checkProbability('share', share)
  if (Math.exp(-mu * t) >= share)
    throw new RangeError(
      `t must be above ${-Math.log(share) / mu}, which the service alone exceeds that often, received ${t}`,
    )
  return search(demand, (queue) => queue.response.sf(t) <= share, demand.lambda / demand.mu)
}

function search(demand: Demand, meets: (queue: StableQueue, servers: number) => boolean, guess: number): number {
  const { lambda, mu } = demand
  // Checks the parameters; the smallest stable number may be 1.
  mmc({ lambda, mu, servers: 1 })
  const load = lambda / mu
  checkNumber('lambda / mu', load, 0, 1e15)
  return smallestInteger(
    (servers) => {
      const queue = mmc({ lambda, mu, servers })
      return queue.stable && meets(queue, servers)
    },
    Math.max(1, Math.floor(load)),
    guess,
  )
}

/** Square-root staffing for P(Wq > t) ≈ P(β) e^-βμt sqrt(a): from the share alone, or from the time alone, whichever asks less. */
function guessForTail({ lambda, mu }: Demand, t: number, share: number): number {
  const load = lambda / mu
  const byShare = halfinWhittBeta(share) * Math.sqrt(load)
  return load + (t === 0 ? byShare : Math.min(byShare, -Math.log(share) / (mu * t)))
}
