import { ggc } from './ggc.ts'
import { mmc, mmcTail } from './mmc.ts'
import { mmckBlocking } from './mmck.ts'
import { outlasted } from './mmck-response.ts'
import { poissonCdf } from './poisson.ts'
import { poissonQuantile } from './poisson-quantile.ts'
import type { StableQueue, UnstableQueue } from './queue.ts'
import { smallestInteger } from './smallest-integer.ts'
import { zeroBetween } from './zero.ts'

/** The work: rates in seconds, and how far from Poisson and exponential it is (1 and 1). */
export interface Work {
  readonly lambda: number
  readonly meanService: number
  readonly ca2: number
  readonly cs2: number
}

/** What is promised: the share `p` waits, or is answered, within so many seconds, and at most the share `loss` is turned away. */
export interface Target {
  readonly p: number
  readonly within: number
  readonly of: 'wait' | 'response'
  readonly loss: number
}

const placesMax = 1e7

export function isMarkov({ ca2, cs2 }: Work): boolean {
  return ca2 === 1 && cs2 === 1
}

export function queueOf(work: Work, servers: number): StableQueue | UnstableQueue {
  const { lambda, meanService } = work
  return isMarkov(work) ? mmc({ lambda, mu: 1 / meanService, servers }) : ggc({ ...work, servers })
}

/** The share that takes longer than promised; 1 where the queue grows without end. */
export function lateShare(work: Work, servers: number, { of, within }: Target): number {
  if (isMarkov(work)) return mmcTail({ lambda: work.lambda, mu: 1 / work.meanService, servers }, of, within)
  const queue = ggc({ ...work, servers })
  return queue.stable ? queue[of].sf(within) : 1
}

/**
 * Room to wait such that even when it is always full the share `p` of those who get in is in time: q places drain as an Erlang time of q
 * departures of all servers, so that q is the largest with P(Poisson(c t / s) < q) ≤ 1 - p; but not more than 1e7.
 */
export function queueBound({ meanService }: Work, servers: number, { p, within, of }: Target): number {
  const departures = (servers * within) / meanService
  const bound = Math.min(placesMax, poissonQuantile(1 - p, Math.min(departures, 2 * placesMax)))
  if (of === 'wait' || bound === 0) return bound
  // Of the promised time the own service needs its part; then the wait and it together may be late.
  const late = (places: number) => lateWhenFull(places, servers, within / meanService)
  if (late(1) > 1 - p) return 0
  return smallestInteger((places) => places >= placesMax || late(places + 1) > 1 - p, 1, bound / 2)
}

/** P(k departures of all servers and then a service take longer than y): too few departures, or else the service. */
function lateWhenFull(k: number, servers: number, y: number): number {
  return poissonCdf(k - 1, servers * y) + outlasted(k, servers, y)
}

/** The smallest number of servers up to `most` that keeps the promise; null where none does. */
export function serversFor(work: Work, target: Target, most: number): number | null {
  const load = work.lambda * work.meanService
  const meets = (servers: number) =>
    lateShare(work, servers, target) <= 1 - target.p && lossOf(work, servers, target) <= target.loss
  if (!meets(most)) return null
  const spread = Math.sqrt(-2 * Math.log(1 - target.p) * load)
  const spare = (-Math.log(1 - target.p) * work.meanService) / target.within
  return smallestInteger(meets, 1, Math.min(most, load + Math.min(spread, spare) + 1))
}

/** The share that the queue's bound turns away, to be worked out unless it is given; of a model without a closed form for it that of M/M/c/K. */
export function lossOf(work: Work, servers: number, target: Target, bound?: number): number {
  if (target.loss >= 1) return 0
  const capacity = servers + (bound ?? queueBound(work, servers, target))
  return mmckBlocking({ lambda: work.lambda, mu: 1 / work.meanService, servers, capacity })
}

/** The largest arrival rate at which so many servers keep the promise, from a `lambda` at which they do. */
export function rateLimit(work: Work, servers: number, target: Target, bound?: number): number {
  const saturation = (servers / work.meanService) * (1 - 2 ** -40)
  const late = (at: Work) => lateShare(at, servers, target)
  if (target.loss >= 1) return keptUpTo(work, saturation, 1 - target.p, late)
  const capacity = servers + (bound ?? queueBound(work, servers, target))
  const lost = ({ lambda, meanService }: Work) => mmckBlocking({ lambda, mu: 1 / meanService, servers, capacity })
  // Most often it is the loss that gives out first, and then the other search is not needed.
  const accepted = keptUpTo(work, saturation, target.loss, lost)
  if (late({ ...work, lambda: accepted }) <= 1 - target.p) return accepted
  return keptUpTo(work, accepted, 1 - target.p, late)
}

/** Up to which rate, and `most` at the most, a share that grows with it stays within its bound. */
function keptUpTo(work: Work, most: number, bound: number, share: (at: Work) => number): number {
  const excess = (lambda: number) => Math.log(Math.max(1e-300, share({ ...work, lambda }))) - Math.log(bound)
  const now = excess(work.lambda)
  if (now >= 0) return work.lambda
  const then = excess(most)
  return then <= 0 ? most : zeroBetween(excess, work.lambda, most, [now, then])
}
