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
