import type { ConcurrencyMeter } from './concurrency.ts'
import type { Pace } from './pace.ts'
import type { PeakLatency } from './peak.ts'
import type { WorkersMeter } from './workers.ts'

/** What one endpoint has been given and has answered, seen from here. */
export interface Load {
  /** Picked and not yet done. */
  readonly inFlight: number
  readonly succeeded: number
  readonly failed: number
  readonly ignored: number
}

/**
 * How a piece of work ended for the endpoint that had it.
 *
 * - `success`: it answered.
 * - `failure`: it did not answer, or not in time, or not as it should: the endpoint's fault.
 * - `ignored`: says nothing of the endpoint: the caller's mistake, a cancellation, an understood refusal.
 */
export type Outcome = 'success' | 'failure' | 'ignored'

/** A load with what policies need to judge it. The sums are as of `asOfMs` and fade with the pace of the fleet. */
export interface MeasuredLoad extends Load {
  readonly pace: Pace
  /** Learnt from the first time it is asked for, as the next two are: most policies ask for none. */
  readonly concurrency: ConcurrencyMeter
  readonly workers: WorkersMeter
  readonly peak: PeakLatency
  readonly asOfMs: number
  /** The integral over time of the number in flight, and what failures are charged; in milliseconds. */
  readonly areaMs: number
  /** Successes in that time. */
  readonly answers: number
  /** When a newcomer gets its full share, and how long it takes it to get there. */
  readonly warmAtMs: number
  readonly warmUpMs: number
}

/** @throws TypeError unless `outcome` is one of the three words. */
export function checkOutcome(outcome: unknown): asserts outcome is Outcome {
  if (outcome !== 'success' && outcome !== 'failure' && outcome !== 'ignored') {
    throw new TypeError(`outcome must be 'success', 'failure' or 'ignored', received ${String(outcome)}`)
  }
}
