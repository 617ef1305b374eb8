import { betterOfTwo } from './better-of-two.ts'
import { type Candidate, type Policy, shareOf } from './policy.ts'

/**
 * Of two drawn at random, the one with less latency times work in flight; the latency follows each rise at once and
 * falls slowly (Finagle's peak EWMA). One that has not answered yet counts as an average one.
 */
export function peakEwma(): Policy {
  return {
    name: 'peak-ewma',
    cost: peakCost,
    picker: (candidates, random) => betterOfTwo(candidates, random, peakCost),
  }
}

function peakCost(candidate: Candidate, nowMs: number): number {
  const { inFlight, peak, pace } = candidate.load
  const latencyMs = peak.at(nowMs) || pace.meanMs
  return (latencyMs * (inFlight + 1)) / shareOf(candidate, nowMs)
}
