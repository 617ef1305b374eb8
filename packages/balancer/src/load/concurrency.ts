import type { WindowEnded } from './answer-window.ts'

/**
 * How much of what is sent is worked on at once, learnt from outside: the highest rate of answers seen of late times the
 * shortest mean latency, the bandwidth-delay product of BBR (N. Cardwell et al., 2016). Both are over windows of a number of
 * answers, so that it needs no timer.
 */
export interface ConcurrencyMeter {
  /** 0 until a first window is full. */
  readonly perMsMax: number
  readonly latencyMinMs: number
  readonly windowEnded: WindowEnded
}

const windows = 10

export function concurrencyMeter(): ConcurrencyMeter {
  const rates = new Float64Array(windows)
  const latencies = new Float64Array(windows).fill(Number.POSITIVE_INFINITY)
  let at = 0
  const meter = {
    perMsMax: 0,
    latencyMinMs: 0,
    windowEnded(answers: number, latencySumMs: number, elapsedMs: number) {
      rates[at] = answers / elapsedMs
      latencies[at] = latencySumMs / answers
      at = (at + 1) % windows
      meter.perMsMax = Math.max(...rates)
      meter.latencyMinMs = Math.min(...latencies)
    },
  }
  return meter
}
