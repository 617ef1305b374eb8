import { lowestCost } from './lowest-cost.ts'
import { type Candidate, type Policy, shareOf } from './policy.ts'

/** Where the fewest are in flight for the weight. The limit for endpoints that are all alike, blind to which are not. */
export function leastLoaded(): Policy {
  return {
    name: 'least-loaded',
    cost: inFlightPerShare,
    picker: (candidates, random) => lowestCost(candidates, random, inFlightPerShare),
  }
}

/** What is in flight there for its weight. */
export function inFlightPerShare(candidate: Candidate, nowMs: number): number {
  return candidate.load.inFlight / shareOf(candidate, nowMs)
}
