/** Counts answers until there are enough of them to tell something, and begins anew. */
export interface AnswerWindow {
  /** How many are enough. */
  size: number
  answered(latencyMs: number, nowMs: number): void
}

/** What a window that has ended says. */
export type WindowEnded = (answers: number, latencySumMs: number, elapsedMs: number) => void

export function answerWindow(size: number, startMs: number, ended: WindowEnded): AnswerWindow {
  // Fields, because V8 allocates anew for each write of a fraction to a captured variable.
  const window = {
    size,
    answers: 0,
    latencySumMs: 0,
    sinceMs: startMs,
    answered(latencyMs: number, nowMs: number) {
      window.latencySumMs += latencyMs
      // In no time at all nothing can be learnt about a rate.
      if (++window.answers < window.size || nowMs <= window.sinceMs) return
      ended(window.answers, window.latencySumMs, nowMs - window.sinceMs)
      window.answers = 0
      window.latencySumMs = 0
      window.sinceMs = nowMs
    },
  }
  return window
}
