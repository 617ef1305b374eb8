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
  // Fields, because V8 allocates anew for each write of a fraction to a captured variable.
  const meter = {
    perMsMax: 0,
    latencyMinMs: 0,
    answers: 0,
    latencySumMs: 0,
    sinceMs: startMs,
    answered(latencyMs: number, nowMs: number) {
      meter.answers++
      meter.latencySumMs += latencyMs
      if (meter.answers >= size) close(nowMs)
    },
  }
  let size = answersPerWindow()

  function close(nowMs: number): void {
    // In no time at all nothing can be learnt about a rate.
    if (nowMs <= meter.sinceMs) return
    rates[at] = meter.answers / (nowMs - meter.sinceMs)
    latencies[at] = meter.latencySumMs / meter.answers
    at = (at + 1) % windows
    meter.perMsMax = Math.max(...rates)
    meter.latencyMinMs = Math.min(...latencies)
    meter.answers = 0
    meter.latencySumMs = 0
    meter.sinceMs = nowMs
    size = answersPerWindow()
  }

  return meter
}
