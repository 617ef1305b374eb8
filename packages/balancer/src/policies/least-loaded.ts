import type { Policy } from './policy.ts'

/**
 * Where the fewest are in flight for the weight, by a look at all of them. A tie is drawn in proportion to the weights:
 * always taking the first would send all quiet-time traffic, and every first request of every client, to one endpoint.
 */
export function leastLoaded(): Policy {
  return {
    name: 'least-loaded',
    picker(candidates, random) {
      return {
        pick({ exclude }) {
          let best = -1
          let bestScore = Number.POSITIVE_INFINITY
          let tiedWeight = 0
          for (let index = 0; index < candidates.length; index++) {
            const { endpoint, load } = candidates[index]!
            if (exclude?.has(endpoint.id)) continue
            const score = load.inFlight / endpoint.weight
            if (score > bestScore) continue
            if (score < bestScore) {
              bestScore = score
              best = index
              tiedWeight = endpoint.weight
              continue
            }
            // Weighted reservoir of one: each of the tied ends up chosen with its share, in one pass.
            tiedWeight += endpoint.weight
            if (random.next() * tiedWeight < endpoint.weight) best = index
          }
          return best
        },
      }
    },
  }
}
