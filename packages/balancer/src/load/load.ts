import { type ConcurrencyMeter, concurrencyMeter } from './concurrency.ts'
import type { Pace } from './pace.ts'

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
  readonly concurrency: ConcurrencyMeter
  readonly asOfMs: number
  /** The integral over time of the number in flight, and what failures are charged; in milliseconds. */
  readonly areaMs: number
  /** Successes in that time. */
  readonly answers: number
  /** Latency that follows every rise at once and every fall slowly, as of `peakAtMs`. */
  readonly peakMs: number
  readonly peakAtMs: number
  /** When a newcomer gets its full share, and how long it takes it to get there. */
  readonly warmAtMs: number
  readonly warmUpMs: number
}

/** A load that is being counted: one `end` for each `begin`. */
export interface LoadMeter extends MeasuredLoad {
  begin(nowMs: number): void
  end(outcome: Outcome, latencyMs: number, nowMs: number): void
  /** Takes the endpoint in slowly from now on. */
  warmUp(nowMs: number, durationMs: number): void
}

/** Latencies fall to a third in this time (Finagle's default). */
export const peakFadeMs = 10_000

// The extremes of several means are taken, so each must be a good one, also where latencies have a heavy tail.
const answersPerEstimate = 100

export function loadMeter(pace: Pace, nowMs: number): LoadMeter {
  const load = {
    pace,
    concurrency: concurrencyMeter(() => answersPerEstimate, nowMs),
    inFlight: 0,
    succeeded: 0,
    failed: 0,
    ignored: 0,
    asOfMs: nowMs,
    areaMs: 0,
    answers: 0,
    peakMs: 0,
    peakAtMs: nowMs,
    warmAtMs: nowMs,
    warmUpMs: 0,
    begin(atMs: number) {
      advance(atMs)
      load.inFlight++
    },
    end(outcome: Outcome, latencyMs: number, atMs: number) {
      advance(atMs)
      load.inFlight--
      if (outcome === 'success') {
        load.succeeded++
        load.answers++
        pace.answered(latencyMs, atMs)
        load.concurrency.answered(latencyMs, atMs)
        peak(latencyMs, atMs)
      } else if (outcome === 'failure') {
        load.failed++
        // Without an answer beside it: time spent over answers got is the estimator for lifetimes of which some were
        // cut off. An endpoint that fails at once would otherwise be the fastest of all.
        load.areaMs += pace.failureMs
        peak(Math.max(latencyMs, pace.failureMs), atMs)
      } else load.ignored++
    },
    warmUp(atMs: number, durationMs: number) {
      load.warmAtMs = atMs + durationMs
      load.warmUpMs = durationMs
    },
  }

  function advance(atMs: number): void {
    const elapsedMs = atMs - load.asOfMs
    // A clock that went back must not take anything away.
    if (!(elapsedMs > 0)) return
    const left = fade(elapsedMs / pace.fadeMs)
    load.areaMs = load.areaMs * left + load.inFlight * pace.fadeMs * (1 - left)
    load.answers *= left
    load.asOfMs = atMs
  }

  function peak(latencyMs: number, atMs: number): void {
    const left = fade(Math.max(0, atMs - load.peakAtMs) / peakFadeMs)
    load.peakMs = Math.max(latencyMs, load.peakMs * left + latencyMs * (1 - left))
    load.peakAtMs = atMs
  }

  return load
}

/**
 * What is left after `x` time constants: e^-x to second order, and 0 after an hour. Not `Math.exp`, whose last digit differs
 * between versions of V8: the same seed and the same events must give the same choices everywhere.
 */
export function fade(x: number): number {
  return 1 / (1 + x + (x * x) / 2)
}

/** @throws TypeError unless `outcome` is one of the three words. */
export function checkOutcome(outcome: unknown): asserts outcome is Outcome {
  if (outcome !== 'success' && outcome !== 'failure' && outcome !== 'ignored') {
    throw new TypeError(`outcome must be 'success', 'failure' or 'ignored', received ${String(outcome)}`)
  }
}
