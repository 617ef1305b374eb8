import { type ConcurrencyMeter, concurrencyMeter } from './concurrency.ts'

/** How fast all endpoints together answer at present: the measure for what is recent, and for what is slow. */
export interface Pace {
  /** What is older than this counts little: the time in which the fleet answers twenty times per endpoint, at least 1 s. */
  readonly fadeMs: number
  /** The mean time to an answer, over all endpoints; 1 until there is one. */
  readonly meanMs: number
  /** What a failure is charged as, in time in flight. */
  readonly failureMs: number
  /** Of the whole fleet. */
  readonly concurrency: ConcurrencyMeter
  answered(latencyMs: number, nowMs: number): void
  /** To be told when the number of endpoints changes. */
  resize(endpoints: number): void
}

/** So many answers of an endpoint tell something of it. */
const answersPerEndpoint = 20
const fadeMinMs = 1_000
// Rates below one answer in half a minute per endpoint are no load that needs balancing.
const fadeMaxMs = 600_000

export function createPace(startMs: number): Pace {
  let window = answersPerEndpoint
  let answers = 0
  let sinceMs = startMs
  let fadeMs = fadeMinMs
  let meanMs = 0
  let seen = 0
  const concurrency = concurrencyMeter(() => window, startMs)
  return {
    concurrency,
    get fadeMs() {
      return fadeMs
    },
    get meanMs() {
      return seen === 0 ? 1 : meanMs
    },
    // An instant failure must look slower than the slowest honest endpoint, whatever the unit of work is.
    get failureMs() {
      return Math.max(100, 10 * meanMs)
    },
    answered(latencyMs, nowMs) {
      concurrency.answered(latencyMs, nowMs)
      if (seen < window) seen++
      meanMs += (latencyMs - meanMs) / Math.min(seen, window)
      if (++answers < window) return
      fadeMs = Math.min(fadeMaxMs, Math.max(fadeMinMs, nowMs - sinceMs))
      sinceMs = nowMs
      answers = 0
    },
    resize(endpoints) {
      window = answersPerEndpoint * Math.max(1, endpoints)
    },
  }
}
