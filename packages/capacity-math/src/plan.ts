import { type Drain, drain, timeToOverflow } from './backlog.ts'
import { checkInteger, checkNumber, checkProbability, magnitudeMax } from './checks.ts'
import { mmck } from './mmck.ts'
import { normalIsf } from './normal.ts'
import { poissonRate } from './poisson-rate.ts'
import type { StableQueue } from './queue.ts'
import { type RetryStorm, retryStorm, safeRetries } from './retry-storm.ts'
import {
  isMarkov,
  lateShare,
  lossOf,
  queueBound,
  queueOf,
  rateLimit,
  serversFor,
  type Target,
  type Work,
} from './sizing.ts'
import { hotKeyLimit, zipf } from './zipf.ts'

export interface PlanInput {
  /** Arrivals per second, above 0. */
  readonly lambda: number
  /** Mean seconds of one service. */
  readonly meanService: number
  /** Squared coefficients of variation of the times between arrivals and of the services, as measured; 1 by default: Poisson, exponential. */
  readonly ca2?: number
  readonly cs2?: number
  /** The share `p` waits at most `wait` seconds, or is answered within `response` seconds; at most the share `loss` is turned away. */
  readonly slo: {
    readonly p: number
    readonly wait?: number
    readonly response?: number
    /** 1 by default: no promise. */
    readonly loss?: number
  }
  /** The fewest servers there are to be, such as two to survive one, or those that a replay of the arrivals needed; 1 by default. */
  readonly serversMin?: number
  /** The most servers there can be; 2^31 by default. */
  readonly serversMax?: number
  readonly retries?: { readonly timeout: number; readonly maxRetries: number }
  /** Writes to one key hold it for `hold` seconds, one after the other; the keys are Zipf distributed. */
  readonly hotKey?: { readonly keys: number; readonly s: number; readonly hold: number }
  /** How much was measured: then the plan also says how many servers are enough with that confidence. */
  readonly observed?: { readonly arrivals: number; readonly services: number; readonly confidence: number }
}

/** One number of servers and what it does for the promise. */
export interface Evidence {
  readonly servers: number
  /** The share that takes longer than promised; 1 where the queue grows without end. */
  readonly late: number
  /** The time within which the share `p` is, in seconds; null where the queue grows without end. */
  readonly quantile: number | null
  /** The share that finds every place taken, where a `loss` was promised; else 0. */
  readonly lost: number
}

export interface Plan {
  readonly feasible: true
  readonly servers: number
  /** Places to wait, so many that even when they are always full, who gets one is in time with the share `p`. */
  readonly queueBound: number
  /** Most that may be in the system at once: servers and places. */
  readonly admissionLimit: number
  /** Most arrivals per second at which the promise is kept, that of the loss included. */
  readonly rateLimit: number
  /** The system as planned; with Poisson arrivals and exponential service M/M/c/K with its bound, else G/G/c without. */
  readonly expected: StableQueue
  /** The proof that it is the smallest: so many keep the promise, and one less does not; null where there must not be one less. */
  readonly certificate: { readonly enough: Evidence; readonly oneLess: Evidence | null }
  readonly headroom: {
    /** How much more may come: rateLimit / lambda - 1. */
    readonly share: number
    /** Arrivals per second at which the queue grows without end. */
    readonly saturation: number
    /** What one more server adds to the rate limit, per second. */
    readonly perServer: number
  }
  readonly recovery: {
    /** How long the backlog lasts after so many seconds in which nothing was served; no more than the system holds is left of them. */
    drainAfter(outage: number): Drain
    /** Mean seconds until an empty system is full for the first time. */
    meanTimeToOverflow(): number
  }
  readonly retry: (RetryStorm & { readonly safeRetries: number }) | null
  readonly hotKey: { readonly share: number; readonly limit: number } | null
  /** What gives out first when more comes. */
  readonly bottleneck: 'servers' | 'hot key'
  /** Enough servers although the rates were only measured, with this confidence: those for the worst corner of both intervals. */
  readonly robust: { readonly servers: number | null; readonly lambda: number; readonly meanService: number } | null
}

export interface NoPlan {
  readonly feasible: false
  readonly bottleneck: 'servers' | 'service time' | 'hot key'
  readonly reason: string
}

/**
 * From rates and a promise to a system: how many servers, how many places to wait, how much to admit, with the proof that it is the
 * smallest, and what happens when more comes, when nothing is served for a while, when clients retry, when one key is hot.
 * @throws RangeError or TypeError naming the parameter. A promise that cannot be kept is an answer: `feasible` is false.
 */
export function plan(input: PlanInput): Plan | NoPlan {
  const { work, target, least, most } = checked(input)
  const { lambda, meanService } = work
  const hotKey = input.hotKey ? { share: zipf(input.hotKey).share(1), limit: hotKeyLimit(input.hotKey) } : null
  if (hotKey && hotKey.limit < lambda)
    return no(
      'hot key',
      `the hottest key takes ${hotKey.share} of the writes, and so allows ${hotKey.limit} in all per second`,
    )
  const needed = serversFor(work, target, most)
  if (needed === null) return noServers(work, target, most)
  const servers = Math.max(least, needed)
  const saturation = servers / meanService
  const bound = queueBound(work, servers, target)
  const limit = rateLimit(work, servers, target, bound)
  const capacity = servers + bound
  const mu = 1 / meanService
  const bounded = isMarkov(work) ? mmck({ lambda, mu, servers, capacity }) : queueOf(work, servers)
  return {
    feasible: true,
    servers,
    queueBound: bound,
    admissionLimit: capacity,
    rateLimit: limit,
    expected: bounded as StableQueue,
    certificate: {
      enough: evidence(work, servers, target, bound),
      oneLess: servers > least ? evidence(work, servers - 1, target) : null,
    },
    headroom: { share: limit / lambda - 1, saturation, perServer: rateLimit(work, servers + 1, target) - limit },
    recovery: {
      drainAfter(outage) {
        checkNumber('outage', outage, 0, magnitudeMax)
        return drain({ backlog: Math.min(lambda * outage, capacity), lambda, mu, servers })
      },
      meanTimeToOverflow: () => timeToOverflow({ lambda, mu, servers, limit: capacity }),
    },
    retry: input.retries
      ? { ...retryStorm({ lambda, mu, servers, ...input.retries }), safeRetries: safeRetries({ lambda, mu, servers }) }
      : null,
    hotKey,
    bottleneck: hotKey && hotKey.limit < limit ? 'hot key' : 'servers',
    robust: input.observed ? robust(work, target, { least, most }, input.observed) : null,
  }
}

function evidence(work: Work, servers: number, target: Target, bound?: number): Evidence {
  const queue = queueOf(work, servers)
  return {
    servers,
    late: queue.stable ? queue[target.of].sf(target.within) : 1,
    quantile: queue.stable ? queue[target.of].quantile(target.p) : null,
    lost: lossOf(work, servers, target, bound),
  }
}

/** Waits grow with both rates (stochastic monotonicity), so that the worst of both intervals is their upper corner. */
function robust(
  work: Work,
  target: Target,
  { least, most }: { readonly least: number; readonly most: number },
  observed: NonNullable<PlanInput['observed']>,
): Plan['robust'] {
  const { arrivals, services, confidence } = observed
  const rate = poissonRate({ count: arrivals, exposure: arrivals / work.lambda, confidence })
  // Counts of what is not Poisson vary sqrt(ca²) times as much; sums of n exponential times are gamma, of others nearly normal.
  const lambda = work.lambda + (rate.upper - work.lambda) * Math.sqrt(Math.max(1, work.ca2))
  const z = normalIsf((1 - confidence) / 2)
  const meanService =
    work.cs2 === 1
      ? 1 / poissonRate({ count: services, exposure: services * work.meanService, confidence }).lower
      : work.meanService * (1 + z * Math.sqrt(work.cs2 / services))
  const servers = serversFor({ ...work, lambda, meanService }, target, most)
  return { servers: servers && Math.max(least, servers), lambda, meanService }
}

function noServers(work: Work, target: Target, most: number): NoPlan {
  const { p, within, of, loss } = target
  if (lateShare({ ...work, lambda: work.lambda * 1e-12 }, most, target) > 1 - p)
    return no('service time', `the service alone is longer than ${within} s for more than the share ${1 - p}`)
  const promise = `${p} of the ${of}s within ${within} s${loss < 1 ? ` and at most ${loss} turned away` : ''}`
  return no('servers', `${most} servers do not keep ${promise}`)
}

function no(bottleneck: NoPlan['bottleneck'], reason: string): NoPlan {
  return { feasible: false, bottleneck, reason }
}

function checked(input: PlanInput): { work: Work; target: Target; least: number; most: number } {
  const { lambda, meanService, ca2 = 1, cs2 = 1, slo, serversMin = 1, serversMax = 2 ** 31, observed } = input
  checkNumber('lambda', lambda, 1e-12, 1e15)
  checkNumber('meanService', meanService, 1e-12, 1e15)
  checkNumber('lambda * meanService', lambda * meanService, 1e-15, 1e9)
  checkNumber('ca2', ca2, 0, 1e6)
  checkNumber('cs2', cs2, 0, 1e6)
  checkInteger('serversMax', serversMax, 1)
  checkNumber('serversMax', serversMax, 1, 2 ** 31)
  checkInteger('serversMin', serversMin, 1)
  checkNumber('serversMin', serversMin, 1, serversMax)
  const { p, wait, response, loss = 1 } = slo
  checkProbability('slo.p', p)
  checkNumber('slo.loss', loss, 1e-300, 1)
  if ((wait === undefined) === (response === undefined)) throw new TypeError('slo must have either wait or response')
  const of = wait === undefined ? 'response' : 'wait'
  const within = wait ?? response
  checkNumber(`slo.${of}`, within, 1e-12, 1e15)
  if (observed) {
    checkInteger('observed.arrivals', observed.arrivals, 1)
    checkInteger('observed.services', observed.services, 1)
    checkProbability('observed.confidence', observed.confidence)
  }
  return {
    work: { lambda, meanService, ca2, cs2 },
    target: { p, within, of, loss },
    least: serversMin,
    most: serversMax,
  }
}
