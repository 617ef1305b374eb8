import { createBalancer, lateBinding, little, rendezvous, roundRobin, staticEndpoints } from '@headrace/balancer'
import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { fresh, pushedDiscovery } from './pushed.ts'

const trio = staticEndpoints([{ address: 'a' }, { address: 'b' }, { address: 'c', weight: 0 }])

describe('explain', () => {
  it('puts first what would be picked next', () => {
    const balancer = createBalancer(trio, { policy: little(), clock: manualClock(), random: seededRandom(1) })
    const first = balancer.pick()!.endpoint.id
    const { policy, endpoints } = balancer.explain()
    expect(policy).toBe('little')
    expect(endpoints[0]!.endpoint.id).not.toBe(first)
    expect(endpoints[1]).toMatchObject({ endpoint: { id: first }, inFlight: 1, eligible: true, share: 1 })
    expect(endpoints[0]!.cost).toBeLessThan(endpoints[1]!.cost!)
    expect(balancer.pick()!.endpoint.id).toBe(endpoints[0]!.endpoint.id)
  })

  it('says what is in the way of the others', async () => {
    const clock = manualClock()
    const discovery = pushedDiscovery(fresh('a', 'b', 'gone'))
    const balancer = createBalancer(discovery, { policy: roundRobin(), clock, random: seededRandom(1), slowStartMs: 0 })
    const others = (id: string) => new Set(['a', 'b', 'gone'].filter((other) => other !== id))
    balancer.pick({ exclude: others('gone') })
    for (let time = 0; time < 5; time++) balancer.pick({ exclude: others('b') })!.done('failure')
    discovery.push({
      state: 'fresh',
      endpoints: [{ address: 'a' }, { address: 'b' }, { address: 'drained', weight: 0 }],
    })
    await clock.settle()
    const why = () => Object.fromEntries(balancer.explain().endpoints.map((it) => [it.endpoint.id, it.why]))
    expect(why()).toEqual({ a: 'may be picked', b: 'is out', drained: 'has weight 0', gone: 'has left' })
    await clock.advance(5_000)
    balancer.pick({ exclude: others('b') })
    expect(why()).toMatchObject({ b: 'is being probed' })
  })

  it('names the home of a key, its next best, and where it is pinned', () => {
    const balancer = createBalancer(staticEndpoints(['a', 'b', 'c'].map((address) => ({ address }))), {
      policy: rendezvous(),
      clock: manualClock(),
    })
    const order = balancer.explain('key 1').endpoints.map((it) => it.endpoint.id)
    expect(balancer.explain('key 1').pinnedTo).toBeUndefined()
    const pick = balancer.pick({ key: 'key 1' })!
    expect(pick.endpoint.id).toBe(order[0])
    expect(balancer.explain('key 1').pinnedTo).toBe(order[0])
    pick.done('success')
    expect(balancer.pick({ key: 'key 1', exclude: new Set([order[0]!]) })!.endpoint.id).toBe(order[1])
  })

  it('ranks by weight as it picks by weight', () => {
    const endpoints = ['a', 'b', 'c'].map((address, index) => ({ address, weight: index + 1 }))
    const balancer = createBalancer(staticEndpoints(endpoints), { policy: rendezvous({ pin: false }) })
    for (let index = 0; index < 50; index++) {
      const pick = balancer.pick({ key: `key ${index}` })!
      pick.done('success')
      expect(balancer.explain(`key ${index}`).endpoints[0]!.endpoint.id).toBe(pick.endpoint.id)
    }
  })

  it('shows a full endpoint as infinitely dear, and no cost where a policy does not compare', () => {
    const full = createBalancer(staticEndpoints([{ address: 'a' }]), { policy: lateBinding({ slots: 1 }) })
    full.pick()
    expect(full.explain().endpoints[0]!.cost).toBe(Number.POSITIVE_INFINITY)
    expect(createBalancer(trio, { policy: roundRobin() }).explain().endpoints[0]!.cost).toBeUndefined()
  })

  it('names a bad key', () => {
    expect(() => createBalancer(trio).explain('')).toThrow('key must not be empty')
  })
})
