import { randomBelow } from '@headrace/core'
import { type Policy, shareOf } from './policy.ts'

/**
 * In turn, each as often as its weight says, and spread evenly in between: the smooth weighted round robin of nginx (Igor
 * Sysoev, 2012): everybody earns its weight at each pick, and the richest is picked and pays what all earned together.
 * The order is shuffled, so that many clients that start together do not begin with the same endpoint.
 */
export function roundRobin(): Policy {
  return {
    name: 'round-robin',
    picker(candidates, random) {
      const order = candidates.map((_, index) => index)
      for (let left = order.length; left > 1; left--) {
        const other = randomBelow(random, left)
        const last = order[left - 1]!
        order[left - 1] = order[other]!
        order[other] = last
      }
      const credit = new Float64Array(candidates.length)
      return {
        pick({ exclude, nowMs }) {
          let best = -1
          let earned = 0
          for (const index of order) {
            const candidate = candidates[index]!
            if (exclude?.has(candidate.endpoint.id)) continue
            const share = shareOf(candidate, nowMs)
            earned += share
            credit[index]! += share
            if (best === -1 || credit[index]! > credit[best]!) best = index
          }
          if (best !== -1) credit[best]! -= earned
          return best
        },
      }
    },
  }
}
