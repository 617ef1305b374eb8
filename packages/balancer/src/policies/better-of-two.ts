import { type Random, randomBelow } from '@headrace/core'
import { type Cost, cheapest } from './lowest-cost.ts'
import { type Candidate, type Picker, shareOf } from './policy.ts'

// With most of the candidates excluded, drawing again finds nobody; a look at all does.
const drawsMax = 4

/**
 * The better of two drawn at random (M. Mitzenmacher, "The power of two choices", 2001). The two are different ones:
 * drawn with repetition, an endpoint that hangs would now and then be compared with itself, and win.
 */
export function betterOfTwo(candidates: readonly Candidate[], random: Random, cost: Cost): Picker {
  const size = candidates.length
  return {
    pick(context) {
      const { exclude, nowMs } = context
      for (let draw = 0; size > 1 && draw < drawsMax; draw++) {
        const one = randomBelow(random, size)
        const drawn = randomBelow(random, size - 1)
        const other = drawn >= one ? drawn + 1 : drawn
        const a = candidates[one]!
        const b = candidates[other]!
        if (exclude?.has(a.endpoint.id) || exclude?.has(b.endpoint.id)) continue
        const difference = cost(a, nowMs) - cost(b, nowMs)
        if (difference !== 0) return difference < 0 ? one : other
        const shareA = shareOf(a, nowMs)
        return random.next() * (shareA + shareOf(b, nowMs)) < shareA ? one : other
      }
      return cheapest(candidates, random, cost, context)
    },
  }
}
