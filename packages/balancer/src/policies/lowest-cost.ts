import type { Random } from '@headrace/core'
import { type Candidate, type PickContext, type Picker, shareOf } from './policy.ts'
import { WinnerTree } from './winner-tree.ts'

/** What one more would cost at a candidate: a number that depends on nothing but the two; Infinity where it must not go. */
export type Cost = (candidate: Candidate, nowMs: number) => number

// Up to here a look at everybody costs about as much as keeping them in order.
const scanMax = 8

/** The candidate with the lowest cost; a look at all of few, a winner tree over many. */
export function lowestCost(candidates: readonly Candidate[], random: Random, cost: Cost): Picker {
  return candidates.length <= scanMax
    ? { pick: (context) => cheapest(candidates, random, cost, context) }
    : new CheapestInOrder(candidates, random, cost)
}

/** A class, for the same reason as the tree. */
class CheapestInOrder implements Picker {
  readonly #candidates: readonly Candidate[]
  readonly #random: Random
  readonly #cost: Cost
  readonly #tree: WinnerTree<Candidate>

  constructor(candidates: readonly Candidate[], random: Random, cost: Cost) {
    this.#candidates = candidates
    this.#random = random
    this.#cost = cost
    this.#tree = new WinnerTree(candidates, cost, random)
  }

  pick(context: PickContext): number {
    const index = this.#tree.first(context.nowMs)
    const isExcluded = index !== -1 && context.exclude?.has(this.#candidates[index]!.endpoint.id)
    return isExcluded ? cheapest(this.#candidates, this.#random, this.#cost, context) : index
  }

  changed(index: number, nowMs: number): void {
    this.#tree.changed(index, nowMs)
  }
}

/**
 * By a look at everybody; -1 where all are excluded. A tie is drawn in proportion to the shares: always taking the first would send all quiet-time traffic, and every first
 * request of every client, to one endpoint.
 */
export function cheapest(candidates: readonly Candidate[], random: Random, cost: Cost, context: PickContext): number {
  const { exclude, nowMs } = context
  let best = -1
  let bestCost = Number.POSITIVE_INFINITY
  let tied = 0
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index]!
    if (exclude?.has(candidate.endpoint.id)) continue
    const costHere = cost(candidate, nowMs)
    if (costHere < bestCost) {
      best = index
      bestCost = costHere
      tied = 0
    } else if (costHere === bestCost && best !== -1) {
      // Weighted reservoir of one: each of the tied ends up chosen with its share, in one pass.
      if (tied === 0) tied = shareOf(candidates[best]!, nowMs)
      const share = shareOf(candidate, nowMs)
      tied += share
      if (random.next() * tied < share) best = index
    }
  }
  return best
}
