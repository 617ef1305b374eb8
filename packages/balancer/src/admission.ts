import type { WindowEnded } from './load/answer-window.ts'
import { fade } from './load/fade.ts'
import type { Outcome } from './load/load.ts'
import type { Pace } from './load/pace.ts'

/** Whether work with a deadline has a chance to meet it. */
export interface Admission {
  /** False until there was a line; before, nothing is foretold. */
  readonly knowsCapacity: boolean
  /** How long one more piece of work is expected to take; 0 where there is no line to wait in. */
  expectedMs(inFlight: number, nowMs: number): number
  /** How much longer than expected all but one in a hundred take. */
  readonly marginMs: number
  /** Work was refused. */
  refused(nowMs: number): void
  /** To be told by the pace. */
  readonly windowEnded: WindowEnded
  /**
   * Work for which `expectedMs` was foretold has ended.
   * @returns whether its failure is excused: where all have a line, to be late is not the fault of one endpoint.
   */
  ended(outcome: Outcome, expectedMs: number, latencyMs: number, nowMs: number): boolean
}

const lateShareMax = 0.01
// In units of the mean time to an answer. Large, because what is let in too much is late as a whole.
const step = 3
// Where answers take this many times as long as they could, there is a line.
const slownessMax = 2
const windows = 10

/**
 * By Little's law, N in flight that leave at a rate X take N ÷ X. X is the highest rate of late while there was a line, because
 * without one the rate is that of the arrivals, and says nothing of what the fleet can do; until then nothing is refused. N includes
 * what was given up: its callers have left, but the endpoints work on it. The margin follows the 99th percentile of the error
 * of these forecasts by steps (H. Robbins and S. Monro, 1951), and so includes what a mean does not say: the spread of the
 * work itself, and a rate that has changed.
 */
export function createAdmission(pace: Pace, startMs: number): Admission {
  const rates = new Float64Array(windows)
  let at = 0
  const state = {
    capacityPerMs: 0,
    late: 0,
    abandoned: 0,
    asOfMs: startMs,
    lingersMs: 1,
    refusedAtMs: Number.NEGATIVE_INFINITY,
  }
  // How long it takes them nobody tells us. After as long again as their callers have waited, most are gone.
  function forget(nowMs: number): void {
    state.abandoned *= fade(Math.max(0, nowMs - state.asOfMs) / state.lingersMs)
    state.asOfMs = nowMs
  }

  const admission: Admission & { marginMs: number; knowsCapacity: boolean } = {
    knowsCapacity: false,
    marginMs: 0,
    expectedMs(inFlight, nowMs) {
      const { capacityPerMs } = state
      if (!admission.knowsCapacity) return 0
      if (state.abandoned > 0) forget(nowMs)
      const line = inFlight + 1 + state.abandoned
      // Up to what the fleet works on at once nothing waits, and a refusal could not help.
      return line > capacityPerMs * pace.concurrency.latencyMinMs ? line / capacityPerMs : 0
    },
    refused(nowMs) {
      state.refusedAtMs = nowMs
      // Where nothing is let in any more that has to wait, nothing would be learnt any more.
      admission.marginMs = Math.max(0, admission.marginMs - pace.meanMs * step * lateShareMax * 0.01)
    },
    windowEnded(answers, latencySumMs, elapsedMs) {
      const isSlow = latencySumMs / answers > slownessMax * pace.concurrency.latencyMinMs
      if (isSlow || state.late > lateShareMax * answers) {
        rates[at] = answers / elapsedMs
        at = (at + 1) % windows
        state.capacityPerMs = Math.max(...rates)
        admission.knowsCapacity = true
      }
      state.late = 0
    },
    ended(outcome, expectedMs, latencyMs, nowMs) {
      if (outcome === 'ignored') return false
      const isSlow = latencyMs > pace.meanMs
      if (outcome === 'failure' && isSlow) {
        state.late++
        forget(nowMs)
        state.abandoned++
        state.lingersMs = latencyMs
      }
      if (expectedMs > 0) {
        const stepMs = pace.meanMs * step
        const errorMs = latencyMs - expectedMs
        // One step beyond what was seen, for what was given up would have taken longer; further on there is nothing to learn.
        admission.marginMs =
          errorMs > admission.marginMs
            ? Math.min(errorMs + stepMs, admission.marginMs + stepMs * (1 - lateShareMax))
            : Math.max(0, admission.marginMs - stepMs * lateShareMax)
      }
      return isSlow && (expectedMs > 0 || nowMs - state.refusedAtMs < pace.fadeMs)
    },
  }
  return admission
}
