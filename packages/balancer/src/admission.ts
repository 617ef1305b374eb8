import { fade, type Outcome } from './load/load.ts'
import type { Pace } from './load/pace.ts'

/** Whether work with a deadline has a chance to meet it. */
export interface Admission {
  /** How long one more piece of work is expected to take; 0 where there is no line. */
  expectedMs(inFlight: number, nowMs: number): number
  /** How much longer than expected all but one in a hundred take. */
  readonly marginMs: number
  /** Work was refused. */
  refused(nowMs: number): void
  /**
   * Work for which `expectedMs` was foretold has ended.
   * @returns whether its failure is excused: where all have a line, to be late is not the fault of one endpoint.
   */
  ended(outcome: Outcome, expectedMs: number, latencyMs: number, nowMs: number): boolean
}

const late = 0.01
const step = 3

/**
 * By Little's law, N that leave at a rate X take N ÷ X. X is the highest rate of late, so that an idle fleet does not look
 * slow. N includes what was given up: its callers have left, but the endpoints work on it, and it is in the way of
 * what comes next. The margin follows the 99th percentile of the error of these forecasts by steps (H. Robbins
 * and S. Monro, 1951), and so includes what a mean does not say: the spread of the work itself, and a rate that has changed.
 */
export function createAdmission(pace: Pace, startMs: number): Admission {
  const state = { marginMs: 0, abandoned: 0, asOfMs: startMs, lingersMs: 1, refusedAtMs: Number.NEGATIVE_INFINITY }

  // How long it takes them nobody tells us. After as long again as their callers have waited, most are gone.
  function forget(nowMs: number): void {
    state.abandoned *= fade(Math.max(0, nowMs - state.asOfMs) / state.lingersMs)
    state.asOfMs = nowMs
  }

  return {
    expectedMs(inFlight, nowMs) {
      const { perMsMax, latencyMinMs } = pace.concurrency
      if (state.abandoned > 0) forget(nowMs)
      const line = inFlight + 1 + state.abandoned
      // Up to what the fleet works on at once nothing waits, and a refusal could not help.
      return perMsMax > 0 && line > perMsMax * latencyMinMs ? line / perMsMax : 0
    },
    get marginMs() {
      return state.marginMs
    },
    refused(nowMs) {
      state.refusedAtMs = nowMs
      // Where nothing is let in any more that has to wait, nothing would be learnt any more.
      state.marginMs = Math.max(0, state.marginMs - pace.meanMs * step * late * 0.01)
    },
    ended(outcome, expectedMs, latencyMs, nowMs) {
      if (outcome === 'ignored') return false
      const isSlow = latencyMs > pace.meanMs
      if (outcome === 'failure' && isSlow) {
        forget(nowMs)
        state.abandoned++
        state.lingersMs = latencyMs
      }
      if (expectedMs > 0) {
        const stepMs = pace.meanMs * step
        const errorMs = latencyMs - expectedMs
        // One step beyond what was seen, for what was given up would have taken longer; further on there is nothing to learn.
        state.marginMs =
          errorMs > state.marginMs
            ? Math.min(errorMs + stepMs, state.marginMs + stepMs * (1 - late))
            : Math.max(0, state.marginMs - stepMs * late)
      }
      return isSlow && (expectedMs > 0 || nowMs - state.refusedAtMs < pace.fadeMs)
    },
  }
}
