import { answerWindow, type WindowEnded } from './answer-window.ts'
import { type ConcurrencyMeter, concurrencyMeter } from './concurrency.ts'
import { type ServiceOrder, serviceOrder } from './service-order.ts'

/** How fast all endpoints together answer at present: the measure for what is recent, and for what is slow. */
export interface Pace {
  /** What is older than this counts little: the time in which the fleet answers ten times per endpoint, at least 0.5 s. */
  readonly fadeMs: number
  /** 1 / fadeMs. */
  readonly perFadeMs: number
  /** The mean time to an answer, over all endpoints. */
  readonly meanMs: number
  /** What a failure is charged as, in time in flight. */
  readonly failureMs: number
  /** Of the whole fleet. */
  readonly concurrency: ConcurrencyMeter
  /** Known as far as it is measured, that is, where a policy asks for the workers of endpoints. */
  readonly order: ServiceOrder
  answered(latencyMs: number, nowMs: number): void
  /** To be told when the number of endpoints changes. */
  resize(endpoints: number): void
}

/** So many answers of an endpoint tell something of it. */
const answersPerEndpoint = 20
// Of the time in which they come. Less would follow a fleet that changes still better, but send a broken endpoint more than one in
// five hundred requests, because what is bad is forgotten, and tried again, as fast.
const fadeShare = 0.5
const fadeMinMs = 500
const failureMinMs = 100
// Rates below one answer in half a minute per endpoint are no load that needs balancing.
const fadeMaxMs = 600_000

/** @param windowEnded is told what the answers of all together were, whenever there are enough of them. */
export function createPace(startMs: number, windowEnded?: WindowEnded): Pace {
  let seen = 0
  const concurrency = concurrencyMeter()
  const window = answerWindow(answersPerEndpoint, startMs, (answers, latencySumMs, elapsedMs) => {
    pace.fadeMs = Math.min(fadeMaxMs, Math.max(fadeMinMs, fadeShare * elapsedMs))
    pace.perFadeMs = 1 / pace.fadeMs
    concurrency.windowEnded(answers, latencySumMs, elapsedMs)
    windowEnded?.(answers, latencySumMs, elapsedMs)
  })
  // Fields, because V8 allocates anew for each write of a fraction to a captured variable.
  const pace = {
    concurrency,
    order: serviceOrder(),
    fadeMs: fadeMinMs,
    perFadeMs: 1 / fadeMinMs,
    // Before anything is known, any number does: all endpoints are compared with the same.
    meanMs: 1,
    failureMs: failureMinMs,
    answered(latencyMs: number, nowMs: number) {
      if (seen < window.size) seen++
      pace.meanMs += (latencyMs - pace.meanMs) / seen
      // An instant failure must look slower than the slowest honest endpoint, whatever the unit of work is.
      pace.failureMs = Math.max(failureMinMs, 10 * pace.meanMs)
      window.answered(latencyMs, nowMs)
    },
    resize(endpoints: number) {
      window.size = answersPerEndpoint * Math.max(1, endpoints)
      seen = Math.min(seen, window.size)
    },
  }
  return pace
}
