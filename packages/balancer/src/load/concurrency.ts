/**
 * How much of what is sent is worked on at once, learnt from outside: the highest rate of answers seen of late times the
 * shortest mean latency, the bandwidth-delay product of BBR (N. Cardwell et al., 2016). Both are over windows of a number of
 * answers, so that it needs no timer.
 */
export interface ConcurrencyMeter {
  /** 0 until a first window is full. */
  readonly perMsMax: number
  readonly latencyMinMs: number
  answered(latencyMs: number, nowMs: number): void
}

const windows = 10

/** @param answersPerWindow is asked at the beginning of each window. */
export function concurrencyMeter(answersPerWindow: () => number, startMs: number): ConcurrencyMeter {
  const rates = new Float64Array(windows)
  const latencies = new Float64Array(windows).fill(Number.POSITIVE_INFINITY)
  let at = 0
  let size = answersPerWindow()
  let answers = 0
  let latencySumMs = 0
  let sinceMs = startMs
  let perMsMax = 0
  let latencyMinMs = 0
  return {
    get perMsMax() {
      return perMsMax
    },
    get latencyMinMs() {
      return latencyMinMs
    },
    answered(latencyMs, nowMs) {
      answers++
      latencySumMs += latencyMs
      // In no time at all nothing can be learnt about a rate.
      if (answers < size || nowMs <= sinceMs) return
      rates[at] = answers / (nowMs - sinceMs)
      latencies[at] = latencySumMs / answers
      at = (at + 1) % windows
      perMsMax = Math.max(...rates)
      latencyMinMs = Math.min(...latencies)
      answers = 0
      latencySumMs = 0
      sinceMs = nowMs
      size = answersPerWindow()
    },
  }
}
