import { fade } from './fade.ts'

/** Latency that follows every rise at once and every fall slowly (Finagle's peak EWMA). */
export interface PeakLatency {
  /** 0 before the first answer. */
  at(nowMs: number): number
  answered(latencyMs: number, nowMs: number): void
}

/** Latencies fall to a third in this time (Finagle's default). */
const peakFadeMs = 10_000

export function peakLatency(): PeakLatency {
  // Fields, because V8 allocates anew for each write of a fraction to a captured variable.
  const peak = {
    ms: 0,
    asOfMs: 0,
    at: (nowMs: number) => peak.ms * leftAt(nowMs),
    answered(latencyMs: number, nowMs: number) {
      const left = leftAt(nowMs)
      peak.ms = Math.max(latencyMs, peak.ms * left + latencyMs * (1 - left))
      peak.asOfMs = nowMs
    },
  }

  function leftAt(nowMs: number): number {
    return fade(Math.max(0, nowMs - peak.asOfMs) / peakFadeMs)
  }

  return peak
}
