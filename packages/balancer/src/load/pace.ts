import { type ConcurrencyMeter, concurrencyMeter } from './concurrency.ts'

/** How fast all endpoints together answer at present: the measure for what is recent, and for what is slow. */
export interface Pace {
  /** What is older than this counts little: the time in which the fleet answers twenty times per endpoint, at least 1 s. */
  readonly fadeMs: number
  /** The mean time to an answer, over all endpoints. */
  readonly meanMs: number
  /** What a failure is charged as, in time in flight. */
  readonly failureMs: number
  /** Of the whole fleet. */
  readonly concurrency: ConcurrencyMeter
  /** So many answers of the fleet tell something of it. */
  readonly answersPerWindow: number
  answered(latencyMs: number, nowMs: number): void
  /** To be told when the number of endpoints changes. */
  resize(endpoints: number): void
}

/** So many answers of an endpoint tell something of it. */
const answersPerEndpoint = 20
const fadeMinMs = 1_000
const failureMinMs = 100
// Rates below one answer in half a minute per endpoint are no load that needs balancing.
const fadeMaxMs = 600_000

export function createPace(startMs: number): Pace {
  let window = answersPerEndpoint
  let answers = 0
  let seen = 0
  // Fields, because V8 allocates anew for each write of a fraction to a captured variable.
  const pace = {
    concurrency: concurrencyMeter(() => window, startMs),
    sinceMs: startMs,
    fadeMs: fadeMinMs,
    // Before anything is known, any number does: all endpoints are compared with the same.
    meanMs: 1,
    failureMs: failureMinMs,
    answersPerWindow: answersPerEndpoint,
    answered(latencyMs: number, nowMs: number) {
      pace.concurrency.answered(latencyMs, nowMs)
      if (seen < window) seen++
      pace.meanMs += (latencyMs - pace.meanMs) / seen
      // An instant failure must look slower than the slowest honest endpoint, whatever the unit of work is.
      pace.failureMs = Math.max(failureMinMs, 10 * pace.meanMs)
      if (++answers < window) return
      pace.fadeMs = Math.min(fadeMaxMs, Math.max(fadeMinMs, nowMs - pace.sinceMs))
      pace.sinceMs = nowMs
      answers = 0
    },
    resize(endpoints: number) {
      window = answersPerEndpoint * Math.max(1, endpoints)
      pace.answersPerWindow = window
      seen = Math.min(seen, window)
    },
  }
  return pace
}
