import { checkInteger, checkNumber, magnitudeMax } from './checks.ts'

/** Long-run averages of one box: work enters it, stays a while and leaves. */
export interface LittlesLaw {
  /** Mean number in the box. */
  readonly L: number
  /** Effective arrivals per second: those that really enter, without what was refused. */
  readonly lambda: number
  /** Mean time in the box, in seconds. */
  readonly W: number
}

/**
 * Little's law L = λ W (J. D. C. Little, "A proof for the queuing formula L = λW", 1961): give two, get all three. It needs no
 * distribution and no order of service, but all three must be about the same box, and it is about means: it says
 * nothing of a percentile.
 * @throws TypeError unless exactly two are given; RangeError naming a value out of range, or 0 where it would divide.
 */
export function littlesLaw(known: { readonly lambda: number; readonly W: number }): LittlesLaw
export function littlesLaw(known: { readonly L: number; readonly W: number }): LittlesLaw
export function littlesLaw(known: { readonly L: number; readonly lambda: number }): LittlesLaw
export function littlesLaw(known: Partial<LittlesLaw>): LittlesLaw {
  const { L, lambda, W } = known
  const given = Object.entries({ L, lambda, W }).filter(([, value]) => value !== undefined)
  if (given.length !== 2) throw new TypeError(`exactly two of L, lambda and W must be given, received ${given.length}`)
  for (const [name, value] of given) checkNumber(name, value, 0, magnitudeMax)
  if (L === undefined) return { L: lambda! * W!, lambda: lambda!, W: W! }
  if (lambda === undefined) return { L, lambda: L / divisor('W', W), W: W! }
  return { L, lambda, W: L / divisor('lambda', lambda) }
}

/** What was seen of one box in a stretch of time. */
export interface LittleWindow {
  /** Seconds, above 0. */
  readonly duration: number
  /** Mean number in the box over that time. */
  readonly L: number
  /** How many came in that time, an integer from 1. */
  readonly arrivals: number
  /** How many were in the box when it began, and when it ended. */
  readonly inFlightAtStart: number
  readonly inFlightAtEnd: number
  /** The longest that anybody can stay, such as a deadline, in seconds. */
  readonly stayMax: number
}

/**
 * Little's law for a window that does not begin and end empty, where L = λ W is off: between which bounds the mean time of those lies that
 * came in it. Of L × duration, those that were there already have taken some; those that are still there will add to it.
 * @throws RangeError or TypeError naming the parameter.
 */
export function littlesLawInWindow(seen: LittleWindow): { readonly lower: number; readonly upper: number } {
  const { duration, L, arrivals, inFlightAtStart, inFlightAtEnd, stayMax } = seen
  checkNumber('duration', duration, 1 / magnitudeMax, magnitudeMax)
  checkNumber('L', L, 0, magnitudeMax)
  checkInteger('arrivals', arrivals, 1)
  checkInteger('inFlightAtStart', inFlightAtStart, 0)
  checkInteger('inFlightAtEnd', inFlightAtEnd, 0)
  checkNumber('stayMax', stayMax, 0, magnitudeMax)
  const area = L * duration
  return {
    lower: Math.max(0, area - inFlightAtStart * Math.min(duration, stayMax)) / arrivals,
    upper: (area + inFlightAtEnd * stayMax) / arrivals,
  }
}

/**
 * The utilization law: the share of time in which a server is busy, λ S / c. Little's law for the servers alone.
 * @param flow.lambda arrivals per second. @param flow.meanService mean service time in seconds. @param flow.servers c, 1 by default.
 * @returns 0 for idle, 1 for saturated; above 1 it is the factor by which the servers are overloaded.
 */
export function utilizationLaw(flow: {
  readonly lambda: number
  readonly meanService: number
  readonly servers?: number
}): number {
  const { lambda, meanService, servers = 1 } = flow
  checkNumber('lambda', lambda, 0, magnitudeMax)
  checkNumber('meanService', meanService, 0, magnitudeMax)
  checkInteger('servers', servers, 1)
  return (lambda * meanService) / servers
}

function divisor(name: string, value: unknown): number {
  checkNumber(name, value, 1 / magnitudeMax, magnitudeMax)
  return value
}
