import { createBalancer, leastLoaded, staticEndpoints } from '@headrace/balancer'
import { seededRandom } from '@headrace/core'
import { describe, expect, it } from 'vitest'

const balancerOf = (weights: Record<string, number>, seed = 1) =>
  createBalancer(staticEndpoints(Object.entries(weights).map(([address, weight]) => ({ address, weight }))), {
    policy: leastLoaded(),
    random: seededRandom(seed),
  })

describe('least loaded', () => {
  it('fills all alike before any gets a second', () => {
    const balancer = balancerOf({ a: 1, b: 1, c: 1 })
    const picks = Array.from({ length: 6 }, () => balancer.pick()!.endpoint.id)
    expect(picks.slice(0, 3).sort()).toEqual(['a', 'b', 'c'])
    expect(picks.slice(3).sort()).toEqual(['a', 'b', 'c'])
  })

  it('goes where something has just ended', () => {
    const balancer = balancerOf({ a: 1, b: 1, c: 1 })
    const picks = Array.from({ length: 3 }, () => balancer.pick()!)
    picks[1]!.done('success')
    expect(balancer.pick()!.endpoint.id).toBe(picks[1]!.endpoint.id)
  })

  it('holds three times as much at three times the weight', () => {
    const balancer = balancerOf({ small: 1, large: 3 })
    const picks = Array.from({ length: 40 }, () => balancer.pick()!.endpoint.id)
    expect(picks.filter((id) => id === 'large').length).toBe(30)
  })

  it('draws a tie in proportion to the weights', () => {
    const balancer = balancerOf({ first: 1, second: 1, third: 2 })
    const counts: Record<string, number> = { first: 0, second: 0, third: 0 }
    for (let round = 0; round < 40_000; round++) {
      const pick = balancer.pick()!
      counts[pick.endpoint.id]!++
      pick.done('success')
    }
    // Four standard deviations of a binomial with these shares are 350 and 400.
    expect(Math.abs(counts['first']! - 10_000)).toBeLessThan(350)
    expect(Math.abs(counts['second']! - 10_000)).toBeLessThan(350)
    expect(Math.abs(counts['third']! - 20_000)).toBeLessThan(400)
  })

  it('chooses the same again with the same seed', () => {
    const run = (seed: number) => {
      const balancer = balancerOf({ a: 1, b: 1, c: 1, d: 1 }, seed)
      return Array.from({ length: 50 }, () => balancer.pick()!.endpoint.id).join('')
    }
    expect(run(9)).toBe(run(9))
    expect(run(9)).not.toBe(run(10))
  })

  it('finds the last one that is not excluded, and then nobody', () => {
    const balancer = balancerOf({ a: 1, b: 1 })
    expect(balancer.pick({ exclude: new Set(['a']) })!.endpoint.id).toBe('b')
    expect(balancer.pick({ exclude: new Set(['a', 'b']) })).toBeNull()
  })
})
