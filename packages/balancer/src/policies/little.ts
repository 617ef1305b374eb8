import { residenceOverShareMs } from '../load/little.ts'
import { lowestCost } from './lowest-cost.ts'
import { type Candidate, type Policy, shareOf } from './policy.ts'

/**
 * Where one more would wait the shortest: the time that work spends there by Little's law, times the number in flight and
 * itself, for the weight. It finds the fast among unequal endpoints without probes, and moves away from one that
 * slows down while it is still silent. Failures count as time.
 */
export function little(): Policy {
  return {
    name: 'little',
    cost: littleCost,
    picker: (candidates, random) => lowestCost(candidates, random, littleCost),
  }
}

export function littleCost(candidate: Candidate, nowMs: number): number {
  const { load } = candidate
  return residenceOverShareMs(load, nowMs, shareOf(candidate, nowMs)) * (load.inFlight + 1)
}
