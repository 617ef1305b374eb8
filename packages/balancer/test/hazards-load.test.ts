import { createBalancer, little, type Pick, type Policy, peakEwma, rendezvous } from '@headrace/balancer'
import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { fresh, pushedDiscovery } from './pushed.ts'

const names = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

function fleet(count: number, policy: Policy) {
  const clock = manualClock()
  const discovery = pushedDiscovery(fresh(...names(count)))
  const balancer = createBalancer(discovery, { clock, random: seededRandom(1), policy })
  return { clock, discovery, balancer }
}

const countsOf = (picks: readonly Pick[]) => {
  const counts = new Map<string, number>()
  for (const { endpoint } of picks) counts.set(endpoint.id, (counts.get(endpoint.id) ?? 0) + 1)
  return counts
}

describe('a key that is more than one endpoint can do', () => {
  it('stays in one place, and the others are kept away from there until it calms down', () => {
    const { balancer } = fleet(8, rendezvous({ boundedLoad: 1.25 }))
    const hot = Array.from({ length: 400 }, () => balancer.pick({ key: 'hot' })!)
    const home = hot[0]!.endpoint.id
    expect(countsOf(hot).size).toBe(1)
    const pickOthers = () => Array.from({ length: 200 }, (_, index) => balancer.pick({ key: `cold ${index}` })!)
    const others = pickOthers()
    expect(countsOf(others).has(home)).toBe(false)
    expect(countsOf(others).size).toBe(7)
    for (const pick of [...hot, ...others]) pick.done('success')
    expect(countsOf(pickOthers()).has(home)).toBe(true)
  })
})

describe('an endpoint that joins in the middle of a burst', () => {
  it('gets some of it, and not all', async () => {
    const { clock, discovery, balancer } = fleet(3, little())
    for (let turn = 0; turn < 100; turn++) {
      const picks = names(3).map(() => balancer.pick()!)
      await clock.advance(5)
      for (const pick of picks) pick.done('success')
    }
    const burst = Array.from({ length: 60 }, () => balancer.pick()!)
    discovery.push(fresh(...names(4)))
    await clock.advance(1)
    const later = countsOf(Array.from({ length: 60 }, () => balancer.pick()!)).get('3')
    expect(countsOf(burst).size).toBe(3)
    expect(later).toBeGreaterThanOrEqual(1)
    expect(later).toBeLessThan(15)
  })
})

describe('a pick that is forgotten', () => {
  it('counts for its endpoint alone, for ever: the others get the work', async () => {
    const { clock, balancer } = fleet(4, little())
    const exclude = new Set(['1', '2', '3'])
    for (let pick = 0; pick < 5; pick++) balancer.pick({ exclude })
    const counts = new Map<string, number>()
    for (let turn = 0; turn < 300; turn++) {
      const picks = names(3).map(() => balancer.pick()!)
      for (const { endpoint } of picks) counts.set(endpoint.id, (counts.get(endpoint.id) ?? 0) + 1)
      await clock.advance(5)
      for (const pick of picks) pick.done('success')
    }
    expect(balancer.stats().endpoints[0]!.inFlight).toBe(5)
    expect(counts.get('0') ?? 0).toBeLessThan(10)
    for (const id of ['1', '2', '3']) expect(counts.get(id)).toBeGreaterThan(200)
  })
})

describe.each([little(), peakEwma()])('with $name', (policy) => {
  it('answers that take months do not swallow the number in flight', async () => {
    const { clock, balancer } = fleet(2, policy)
    const first = names(2).map((id) => balancer.pick({ exclude: new Set([id]) })!)
    await clock.advance(1e10)
    for (const pick of first) pick.done('success')
    const counts = countsOf(Array.from({ length: 2_000 }, () => balancer.pick()!))
    for (const count of counts.values()) expect(count).toBeGreaterThan(100)
    expect(counts.size).toBe(2)
  })
})

describe('ten thousand endpoints', () => {
  it('keep their counts when one of them changes, and go on being picked', async () => {
    const { clock, discovery, balancer } = fleet(10_000, little())
    const open = Array.from({ length: 10_000 }, () => balancer.pick()!)
    expect(countsOf(open).size).toBe(10_000)
    discovery.push(fresh(...names(10_000).slice(1), 'new'))
    await clock.advance(10_000)
    const { endpoints } = balancer.stats()
    expect(endpoints.filter(({ inFlight }) => inFlight === 1).length).toBe(10_000)
    expect(endpoints.filter(({ draining }) => draining).map(({ endpoint }) => endpoint.id)).toEqual(['0'])
    expect(balancer.pick()!.endpoint.id).not.toBe('0')
  })
})
