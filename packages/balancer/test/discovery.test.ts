import { type BalancerEvent, createBalancer, staticEndpoints } from '@headrace/balancer'
import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { fresh, pushedDiscovery } from './pushed.ts'

function watched(initial = fresh('a', 'b')) {
  const clock = manualClock()
  const discovery = pushedDiscovery(initial)
  const events: BalancerEvent[] = []
  const observe = (event: BalancerEvent) => void events.push(event)
  const balancer = createBalancer(discovery, { clock, observe, random: seededRandom(1) })
  const ids = () => balancer.stats().endpoints.map(({ endpoint }) => endpoint.id)
  return { clock, discovery, events, balancer, ids }
}

describe('the list of endpoints', () => {
  it('is in use before anything was awaited where the discovery knows it', () => {
    expect(createBalancer(staticEndpoints([{ address: 'a' }])).pick()!.endpoint.id).toBe('a')
  })

  it('follows the discovery and says what changed', async () => {
    const { clock, discovery, events, ids } = watched()
    discovery.push(fresh('b', 'c'))
    await clock.settle()
    expect(ids()).toEqual(['b', 'c'])
    expect(events).toEqual([
      { type: 'endpoints', added: ['a', 'b'], removed: [] },
      { type: 'endpoints', added: ['c'], removed: ['a'] },
    ])
  })

  it('that comes again, in another order too, is no change', async () => {
    const { clock, discovery, events, balancer } = watched()
    discovery.push(fresh('b', 'a'))
    await clock.settle()
    expect(events.length).toBe(1)
    expect(balancer.stats().epoch).toBe(1)
  })

  it('survives an empty answer that is not confirmed', async () => {
    const { clock, discovery, balancer, ids } = watched()
    discovery.push(fresh())
    await clock.settle()
    expect(ids()).toEqual(['a', 'b'])
    expect(balancer.stats().state).toBe('stale')
    expect(balancer.pick()).not.toBeNull()
  })

  it('becomes empty when that is confirmed', async () => {
    const { clock, discovery, balancer } = watched()
    discovery.push({ state: 'confirmed-empty', endpoints: [] })
    await clock.settle()
    expect(balancer.pick()).toBeNull()
    expect(balancer.stats()).toMatchObject({ state: 'confirmed-empty', endpoints: [] })
  })

  it('outlives the failures of its discovery, which is asked again after a growing pause', async () => {
    const { clock, discovery, events, balancer } = watched()
    for (let failure = 0; failure < 8; failure++) {
      discovery.fail(new Error('down'))
      await clock.advance(10_000)
    }
    expect(events.filter(({ type }) => type === 'discovery-failed').length).toBe(8)
    expect(discovery.watches).toBeGreaterThanOrEqual(8)
    expect(balancer.pick()!.done('success')).toBe(true)
    expect(balancer.stats().state).toBe('stale')
    discovery.push(fresh('c'))
    await clock.advance(10_000)
    expect(balancer.stats()).toMatchObject({ state: 'fresh', endpoints: [{ endpoint: { id: 'c' } }] })
    await balancer.close()
    await clock.settle()
    expect(clock.pending).toBe(0)
  })

  it('is kept whole where the discovery gives a bad one', async () => {
    const { clock, discovery, events, ids } = watched()
    discovery.push({ state: 'fresh', endpoints: [{ address: 'c' }, { address: 'c' }] })
    await clock.advance(0)
    expect(ids()).toEqual(['a', 'b'])
    expect(events.at(-1)).toMatchObject({ type: 'discovery-failed', error: expect.any(RangeError) })
  })

  it('stays when the discovery has ended', async () => {
    const { clock, discovery, ids } = watched()
    discovery.end()
    await clock.advance(60_000)
    expect(ids()).toEqual(['a', 'b'])
    expect(discovery.watches).toBe(1)
  })

  it('is not followed after close', async () => {
    const { clock, discovery, balancer, ids } = watched()
    await balancer.close()
    discovery.push(fresh('c'))
    await clock.advance(60_000)
    expect(ids()).toEqual(['a', 'b'])
  })

  it('may change from within an observer', async () => {
    const clock = manualClock()
    const discovery = pushedDiscovery(fresh('a'))
    const seen: string[] = []
    const balancer = createBalancer(discovery, {
      clock,
      observe: (event) => {
        if (event.type !== 'endpoints' || event.added[0] !== 'b') return
        seen.push(balancer.pick()!.endpoint.id)
        void balancer.close()
      },
    })
    discovery.push(fresh('b'))
    await clock.settle()
    expect(seen).toEqual(['b'])
  })
})

describe('an endpoint that has left', () => {
  it('is not picked, and stays visible until its work has ended', async () => {
    const { clock, discovery, balancer } = watched(fresh('a'))
    const pick = balancer.pick()!
    discovery.push(fresh('b'))
    await clock.settle()
    expect(balancer.pick()!.endpoint.id).toBe('b')
    expect(balancer.stats().endpoints.map(({ endpoint, draining }) => [endpoint.id, draining])).toEqual([
      ['b', false],
      ['a', true],
    ])
    pick.done('success')
    expect(balancer.stats().endpoints.map(({ endpoint }) => endpoint.id)).toEqual(['b'])
  })

  it('and comes back is the same, with the work that it still has', async () => {
    const { clock, discovery, balancer } = watched(fresh('a'))
    const pick = balancer.pick()!
    discovery.push(fresh('b'))
    await clock.settle()
    discovery.push(fresh('a', 'b'))
    await clock.settle()
    const { endpoints } = balancer.stats()
    expect(endpoints.map(({ endpoint, inFlight, draining }) => [endpoint.id, inFlight, draining])).toEqual([
      ['a', 1, false],
      ['b', 0, false],
    ])
    pick.done('success')
    expect(balancer.stats().endpoints[0]).toMatchObject({ inFlight: 0, succeeded: 1 })
  })

  it('and comes back under its id at another address is another', async () => {
    const { clock, discovery, balancer, events } = watched({ state: 'fresh', endpoints: [{ id: 'a', address: '1' }] })
    const pick = balancer.pick()!
    discovery.push({ state: 'fresh', endpoints: [{ id: 'a', address: '2' }] })
    await clock.settle()
    expect(events.at(-1)).toEqual({ type: 'endpoints', added: ['a'], removed: ['a'] })
    expect(balancer.stats().endpoints.map(({ endpoint, inFlight }) => [endpoint.address, inFlight])).toEqual([
      ['2', 0],
      ['1', 1],
    ])
    pick.done('success')
    expect(balancer.stats().endpoints.length).toBe(1)
  })

  it('keeps its load when only its weight changes', async () => {
    const { clock, discovery, balancer, events } = watched({ state: 'fresh', endpoints: [{ address: 'a', weight: 1 }] })
    const pick = balancer.pick()!
    discovery.push({ state: 'fresh', endpoints: [{ address: 'a', weight: 0 }] })
    await clock.settle()
    expect(balancer.pick()).toBeNull()
    expect(balancer.stats().endpoints).toMatchObject([{ endpoint: { weight: 0 }, inFlight: 1, draining: false }])
    expect(events.at(-1)).toEqual({ type: 'endpoints', added: [], removed: [] })
    pick.done('success')
    expect(balancer.stats().endpoints[0]).toMatchObject({ inFlight: 0, succeeded: 1 })
  })
})
