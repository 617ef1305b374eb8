import { createBalancer, little, staticEndpoints } from '@headrace/balancer'
import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { fresh, pushedDiscovery } from './pushed.ts'

function fleet(count: number, seed = 1) {
  const clock = manualClock()
  const endpoints = Array.from({ length: count }, (_, index) => ({ address: `${index}` }))
  const balancer = createBalancer(staticEndpoints(endpoints), { policy: little(), clock, random: seededRandom(seed) })
  const others = (id: string) => new Set(endpoints.map(({ address }) => address).filter((other) => other !== id))
  /** Work at one endpoint that takes `ms`. */
  const work = async (id: string, ms: number, outcome: 'success' | 'failure' | 'ignored' = 'success') => {
    const pick = balancer.pick({ exclude: others(id) })!
    await clock.advance(ms)
    pick.done(outcome)
  }
  const next = (picks: number) => Array.from({ length: picks }, () => balancer.pick()!.endpoint.id)
  const residence = (id: string) => balancer.stats().endpoints.find(({ endpoint }) => endpoint.id === id)!.residenceMs
  return { clock, balancer, work, next, residence }
}

// Below and above the number of endpoints at which the scan gives way to the winner tree.
describe.each([2, 100])('little among %i endpoints', (count) => {
  it('knows nothing at first and spreads like least loaded', () => {
    const { next } = fleet(count)
    expect(new Set(next(count)).size).toBe(count)
    expect(new Set(next(count)).size).toBe(count)
  })

  it('gives the fast one more at a time, in proportion to its speed', async () => {
    const { work, next } = fleet(count)
    for (let round = 0; round < 30; round++) {
      for (let id = 0; id < count; id++) await work(`${id}`, id === 0 ? 1 : 4)
    }
    const picks = next(2 * (count - 1) + 8)
    const fast = picks.filter((id) => id === '0').length
    expect(fast).toBeGreaterThanOrEqual(6)
    expect(fast).toBeLessThanOrEqual(9)
  })

  it('moves away from one that has fallen silent, before it answers', async () => {
    const { clock, balancer, work, next, residence } = fleet(count)
    for (let round = 0; round < 5; round++) for (let id = 0; id < count; id++) await work(`${id}`, 2)
    const others = new Set(Array.from({ length: count }, (_, id) => `${id}`).slice(1))
    balancer.pick({ exclude: others })
    const before = residence('0')
    await clock.advance(500)
    expect(residence('0')).toBeGreaterThan(5 * before)
    expect(next(count - 1)).not.toContain('0')
  })

  it('does not fall for one that fails at once', async () => {
    const { work, next } = fleet(count)
    for (let round = 0; round < 5; round++) {
      for (let id = 0; id < count; id++) await (id === 0 ? work('0', 0.1, 'failure') : work(`${id}`, 10))
    }
    expect(next(3 * (count - 1))).not.toContain('0')
  })

  it('tries again, after a while, one that was bad', async () => {
    const { clock, work, next } = fleet(count)
    for (let id = 0; id < count; id++) await work(`${id}`, 1, id === 0 ? 'failure' : 'success')
    expect(next(count - 1)).not.toContain('0')
    await clock.advance(60_000)
    expect(next(count)).toContain('0')
  })

  it('tells nothing of the order of the list', () => {
    const firsts = new Set(Array.from({ length: 400 }, (_, seed) => fleet(count, seed).next(1)[0]))
    expect(firsts.size).toBeGreaterThan(count * 0.9)
  })

  it('stays usable when time stands still, goes back, or jumps by a year', async () => {
    const { clock, balancer, work, residence } = fleet(count)
    await work('0', 10)
    await clock.advance(365 * 24 * 3_600_000)
    expect(residence('0')).toBeGreaterThan(0)
    expect(Number.isFinite(residence('0'))).toBe(true)
    expect(balancer.pick()).not.toBeNull()
    const backwards = { ...clock, nowMs: () => -1e9 }
    const other = createBalancer(staticEndpoints([{ address: 'a' }]), { clock: backwards })
    other.pick()!.done('success')
    expect(Number.isFinite(other.stats().endpoints[0]!.residenceMs)).toBe(true)
  })
})

describe('residence time', () => {
  it("is the latency where one follows the other, by Little's law", async () => {
    const { work, residence } = fleet(2)
    for (let round = 0; round < 200; round++) await work('0', 20)
    expect(residence('0')).toBeCloseTo(20, 0)
  })

  it('is blind to work that its caller took back at once', async () => {
    const { work, residence } = fleet(2)
    for (let round = 0; round < 50; round++) await work('0', 20)
    const before = residence('0')
    for (let round = 0; round < 50; round++) await work('0', 0, 'ignored')
    expect(residence('0')).toBeCloseTo(before, 6)
  })
})

describe('slow start', () => {
  it('takes a newcomer in over four seconds', async () => {
    const clock = manualClock()
    const discovery = pushedDiscovery(fresh('a'))
    const balancer = createBalancer(discovery, { clock, random: seededRandom(1) })
    discovery.push(fresh('a', 'b'))
    await clock.settle()
    const shareOfB = () => {
      const picks = Array.from({ length: 44 }, () => balancer.pick()!)
      const share = picks.filter(({ endpoint }) => endpoint.id === 'b').length
      for (const pick of picks) pick.done('ignored')
      return share
    }
    expect(shareOfB()).toBe(4)
    await clock.advance(2_000)
    expect(shareOfB()).toBeGreaterThan(11)
    await clock.advance(2_000)
    expect(shareOfB()).toBe(22)
  })

  it('is not for those that were there from the beginning, and can be turned off', async () => {
    const clock = manualClock()
    const discovery = pushedDiscovery(fresh('a', 'b'))
    const balancer = createBalancer(discovery, { clock, slowStartMs: 0 })
    const next = (count: number) => Array.from({ length: count }, () => balancer.pick()!.endpoint.id).sort()
    expect(next(2)).toEqual(['a', 'b'])
    discovery.push(fresh('a', 'b', 'c'))
    await clock.settle()
    expect(next(4)).toEqual(['a', 'b', 'c', 'c'])
    expect(() => createBalancer(discovery, { slowStartMs: -1 })).toThrow('slowStartMs must be from 0')
  })
})
