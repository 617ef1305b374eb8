import { fc, test } from '@fast-check/vitest'
import { createBalancer, type Pick, rendezvous, staticEndpoints } from '@headrace/balancer'
import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { fresh, pushedDiscovery } from './pushed.ts'

const keys = Array.from({ length: 10_000 }, (_, index) => `key ${index}`)

function homes(endpoints: { address: string; weight?: number }[], boundedLoad = Number.POSITIVE_INFINITY) {
  const balancer = createBalancer(staticEndpoints(endpoints), { policy: rendezvous({ boundedLoad, pin: false }) })
  return keys.map((key) => {
    const pick = balancer.pick({ key })!
    pick.done('success')
    return pick.endpoint.id
  })
}

const nodes = (count: number) => Array.from({ length: count }, (_, index) => ({ address: `10.0.0.${index}:80` }))

describe('the home of a key', () => {
  it('is the same in every client, in whatever order the list comes', () => {
    expect(homes(nodes(10))).toEqual(homes(nodes(10).reverse()))
  })

  it.each([1, 2, 5, 10, 30])('moves to a newcomer or not at all, beside %i others', (count) => {
    const before = homes(nodes(count))
    const after = homes(nodes(count + 1))
    const newcomer = nodes(count + 1)[count]!.address
    let moved = 0
    for (let index = 0; index < keys.length; index++) {
      if (before[index] === after[index]) continue
      moved++
      expect(after[index]).toBe(newcomer)
    }
    const expected = keys.length / (count + 1)
    // Four standard deviations of a binomial.
    expect(Math.abs(moved - expected)).toBeLessThan(4 * Math.sqrt(expected))
  })

  it('spreads keys evenly, and by weight', () => {
    const even = homes(nodes(10))
    for (const { address } of nodes(10)) {
      const count = even.filter((home) => home === address).length
      expect(Math.abs(count - 1_000)).toBeLessThan(130)
    }
    const weighted = homes([
      { address: 'a', weight: 1 },
      { address: 'b', weight: 3 },
    ])
    expect(Math.abs(weighted.filter((home) => home === 'b').length - 7_500)).toBeLessThan(180)
  })

  it('moves to the heavier one only, when a weight grows', () => {
    const before = homes([...nodes(4), { address: 'x', weight: 1 }])
    const after = homes([...nodes(4), { address: 'x', weight: 2 }])
    const targets = new Set(after.filter((home, index) => home !== before[index]))
    expect([...targets]).toEqual(['x'])
  })

  it('is followed by an order of others that exclusion reveals', () => {
    const balancer = createBalancer(staticEndpoints(nodes(5)), { policy: rendezvous({ pin: false }) })
    const order = (without?: string) => {
      const exclude = new Set(without ? [without] : [])
      const found: string[] = []
      for (let pick = balancer.pick({ key: 'k', exclude }); pick; pick = balancer.pick({ key: 'k', exclude })) {
        pick.done('success')
        found.push(pick.endpoint.id)
        exclude.add(pick.endpoint.id)
      }
      return found
    }
    expect(new Set(order()).size).toBe(5)
    expect(order(order()[0])).toEqual(order().slice(1))
  })
})

describe('bounded load', () => {
  test.prop([
    fc.integer({ min: 1, max: 8 }),
    fc.double({ min: 1, max: 3, noNaN: true }),
    fc.array(fc.nat(20), { maxLength: 150 }),
  ])('is kept at every moment', (count, boundedLoad, draws) => {
    const balancer = createBalancer(staticEndpoints(nodes(count)), { policy: rendezvous({ boundedLoad, pin: false }) })
    for (let sent = 1; sent <= draws.length; sent++) {
      balancer.pick({ key: `key ${draws[sent - 1]}` })
      for (const { inFlight } of balancer.stats().endpoints) {
        expect(inFlight).toBeLessThanOrEqual(Math.ceil((boundedLoad * sent) / count))
      }
    }
  })

  it('names a bad option', () => {
    expect(() => rendezvous({ boundedLoad: 0.9 })).toThrow('boundedLoad must be from 1 to Infinity, received 0.9')
  })
})

describe('the pin of a key', () => {
  const steps = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: fc.record({ pick: fc.nat(5) }) },
      {
        weight: 4,
        arbitrary: fc.record({ done: fc.nat(60), outcome: fc.constantFrom('success' as const, 'failure' as const) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ list: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1 }) }),
      },
    ),
    { maxLength: 120 },
  )

  test.prop([steps, fc.integer()])(
    'keeps it in one place while work is in flight, whatever comes and goes',
    async (run, seed) => {
      const clock = manualClock()
      const discovery = pushedDiscovery(fresh('a', 'b', 'c'))
      const balancer = createBalancer(discovery, {
        policy: rendezvous({ boundedLoad: 1.25 }),
        clock,
        random: seededRandom(seed),
        slowStartMs: 0,
        ejection: { failures: 1, pauseMinMs: 0, shareMax: 1 },
      })
      const open: { key: number; pick: Pick }[] = []
      for (const step of run) {
        if ('list' in step) {
          discovery.push(fresh(...step.list))
          await Promise.resolve()
          await new Promise((resolve) => setImmediate(resolve))
        } else if ('done' in step) {
          open.splice(step.done, 1)[0]?.pick.done(step.outcome)
        } else {
          const pick = balancer.pick({ key: `key ${step.pick}` })
          if (pick) open.push({ key: step.pick, pick })
          for (const other of open) {
            if (other.key === step.pick && pick) expect(other.pick.endpoint.id).toBe(pick.endpoint.id)
          }
        }
      }
      for (const { pick } of open) pick.done('success')
      await balancer.close()
    },
  )

  it('holds back the next on a key whose endpoint has left, until the last there has ended', async () => {
    const clock = manualClock()
    const discovery = pushedDiscovery(fresh('a'))
    const balancer = createBalancer(discovery, { policy: rendezvous(), clock })
    const old = balancer.pick({ key: 'k' })!
    discovery.push(fresh('b'))
    await clock.settle()
    expect(balancer.pick({ key: 'k' })).toBeNull()
    expect(balancer.pick({ key: 'other' })!.endpoint.id).toBe('b')
    const waiting = balancer.call(({ id }) => id, { key: 'k' })
    await clock.settle()
    old.done('success')
    expect(await waiting).toBe('b')
    expect(old.epoch).toBe(1)
    expect(balancer.pick()!.epoch).toBe(2)
    expect(clock.pending).toBe(0)
  })

  it('gives up waiting at the deadline and when the caller aborts', async () => {
    const clock = manualClock()
    const discovery = pushedDiscovery(fresh('a'))
    const balancer = createBalancer(discovery, { policy: rendezvous(), clock })
    balancer.pick({ key: 'k' })
    discovery.push(fresh('b'))
    await clock.settle()
    const caller = new AbortController()
    const late = expect(balancer.call(() => 1, { key: 'k', deadlineMs: 50 })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
    const aborted = expect(balancer.call(() => 1, { key: 'k', signal: caller.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    await clock.advance(50)
    await late
    caller.abort()
    await aborted
    expect(clock.pending).toBe(0)
    expect(await balancer.call(({ id }) => id, { key: 'other' })).toBe('b')
  })
})

describe('calls that wait for a pinned key', () => {
  it('do not hold up those on other keys, and go all together when it is free', async () => {
    const clock = manualClock()
    const discovery = pushedDiscovery(fresh('a'))
    const balancer = createBalancer(discovery, { policy: rendezvous(), clock })
    const stuck = balancer.pick({ key: 'stuck' })!
    const short = balancer.pick({ key: 'short' })!
    discovery.push(fresh('b'))
    await clock.settle()
    const done: string[] = []
    const call = (key: string) => balancer.call(() => void done.push(key), { key })
    const calls = [...Array.from({ length: 40 }, () => call('stuck')), call('short')]
    await clock.settle()
    short.done('success')
    await clock.settle()
    expect(done).toEqual(['short'])
    stuck.done('success')
    await Promise.all(calls)
    expect(done.length).toBe(41)
  })
})
