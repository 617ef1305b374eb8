import {
  type BalancerEvent,
  createBalancer,
  type EjectionOptions,
  roundRobin,
  staticEndpoints,
} from '@headrace/balancer'
import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { fresh, pushedDiscovery } from './pushed.ts'

function fleet(count: number, ejection: EjectionOptions | false = {}) {
  const clock = manualClock()
  const events: BalancerEvent[] = []
  const addresses = Array.from({ length: count }, (_, index) => `${index}`)
  const balancer = createBalancer(staticEndpoints(addresses.map((address) => ({ address }))), {
    policy: roundRobin(),
    clock,
    random: seededRandom(1),
    ejection,
    slowStartMs: 0,
    observe: (event) => void events.push(event),
  })
  const pickAt = (id: string) => balancer.pick({ exclude: new Set(addresses.filter((other) => other !== id)) })
  const fail = (id: string, times: number) => {
    for (let time = 0; time < times; time++) pickAt(id)?.done('failure')
  }
  const reached = (picks = 60) => {
    const ids = new Set<string>()
    for (let index = 0; index < picks; index++) {
      const pick = balancer.pick()!
      ids.add(pick.endpoint.id)
      pick.done('success')
    }
    return [...ids].sort()
  }
  const health = () => balancer.stats().endpoints.map((it) => it.health)
  return { clock, events, balancer, pickAt, fail, reached, health }
}

describe('ejection by failures', () => {
  it('puts out an endpoint after five failures in a row, and not after four', () => {
    const { events, fail, reached, health } = fleet(3)
    fail('1', 4)
    expect(reached()).toEqual(['0', '1', '2'])
    fail('1', 5)
    expect(reached()).toEqual(['0', '2'])
    expect(health()).toEqual(['in', 'out', 'in'])
    expect(events.at(-1)).toMatchObject({ type: 'ejected', endpoint: '1', why: 'failures' })
  })

  it('does not count what is ignored, neither for nor against', () => {
    const { fail, pickAt, health } = fleet(3)
    fail('1', 4)
    pickAt('1')!.done('ignored')
    fail('1', 1)
    expect(health()[1]).toBe('out')
  })

  it('sends one probe after the pause, and takes the endpoint back when it answers', async () => {
    const { clock, events, fail, pickAt, reached, health } = fleet(3)
    fail('1', 5)
    const { pauseMs } = events.at(-1) as { pauseMs: number }
    expect(pauseMs).toBeGreaterThanOrEqual(2_500)
    expect(pauseMs).toBeLessThanOrEqual(5_000)
    await clock.advance(pauseMs - 1)
    expect(pickAt('1')).toBeNull()
    await clock.advance(1)
    const probe = pickAt('1')!
    expect(health()[1]).toBe('probe')
    expect(pickAt('1')).toBeNull()
    expect(reached()).toEqual(['0', '2'])
    probe.done('success')
    expect(events.at(-1)).toEqual({ type: 'readmitted', endpoint: '1' })
    expect(reached()).toEqual(['0', '1', '2'])
  })

  it('sends another probe where one was taken back, and pauses longer where one failed', async () => {
    const { clock, events, fail, pickAt, health } = fleet(3)
    fail('1', 5)
    await clock.advance(5_000)
    pickAt('1')!.done('ignored')
    const pauses: number[] = []
    for (let round = 0; round < 10; round++) {
      pickAt('1')!.done('failure')
      const event = events.at(-1) as { type: string; why: string; pauseMs: number }
      expect(event).toMatchObject({ type: 'ejected', why: 'probe' })
      pauses.push(event.pauseMs)
      await clock.advance(300_000)
    }
    for (const [round, pauseMs] of pauses.entries()) {
      const longest = Math.min(300_000, 5_000 * 2 ** (round + 1))
      expect(pauseMs).toBeGreaterThanOrEqual(longest / 2)
      expect(pauseMs).toBeLessThanOrEqual(longest)
    }
    expect(health()[1]).toBe('out')
  })

  it('forgets old ejections after a good time', async () => {
    const { clock, events, fail, pickAt } = fleet(3)
    const ejectAndReturn = async () => {
      fail('1', 5)
      const { pauseMs } = events.at(-1) as { pauseMs: number }
      await clock.advance(pauseMs)
      pickAt('1')!.done('success')
      return pauseMs
    }
    await ejectAndReturn()
    expect(await ejectAndReturn()).toBeGreaterThan(5_000)
    await clock.advance(60_000)
    pickAt('1')!.done('success')
    expect(await ejectAndReturn()).toBeLessThanOrEqual(5_000)
  })

  it('leaves at least half in, whatever fails', () => {
    for (const count of [1, 2, 3, 10]) {
      const { fail, health, reached } = fleet(count)
      for (let id = 0; id < count; id++) fail(`${id}`, 20)
      expect(health().filter((it) => it === 'in').length).toBe(Math.ceil(count / 2))
      expect(reached().length).toBe(Math.ceil(count / 2))
    }
  })

  it('can be told otherwise, and be turned off', () => {
    const strict = fleet(4, { failures: 1, shareMax: 1 })
    for (const id of ['0', '1', '2', '3']) strict.fail(id, 1)
    expect(strict.health().filter((it) => it === 'in').length).toBe(1)
    const off = fleet(2, false)
    off.fail('0', 100)
    expect(off.health()).toEqual(['in', 'in'])
  })

  it('survives a late end: what began before the ejection changes nothing any more', async () => {
    const { fail, pickAt, health } = fleet(3)
    const early = pickAt('1')!
    fail('1', 5)
    early.done('success')
    expect(health()[1]).toBe('out')
  })

  it('has nothing to say of an endpoint that has left', async () => {
    const clock = manualClock()
    const discovery = pushedDiscovery(fresh('a'))
    const events: BalancerEvent[] = []
    const balancer = createBalancer(discovery, { clock, observe: (event) => void events.push(event) })
    const picks = Array.from({ length: 10 }, () => balancer.pick()!)
    discovery.push(fresh('b', 'c', 'd'))
    await clock.settle()
    for (const pick of picks) pick.done('failure')
    expect(events.map(({ type }) => type)).toEqual(['endpoints', 'endpoints'])
  })

  it.each([
    [{ failures: 0 }, 'ejection.failures must be from 1'],
    [{ shareMax: 1.1 }, 'ejection.shareMax must be from 0 to 1'],
    [{ pauseMinMs: 10, pauseMaxMs: 5 }, 'ejection.pauseMaxMs must be from 10'],
    [{ latencyFactor: 0.5 }, 'ejection.latencyFactor must be from 1'],
  ])('names a bad option: %o', (options, message) => {
    expect(() => fleet(1, options)).toThrow(message)
  })
})

describe('ejection by latency', () => {
  it('puts out who is far slower than the median, and nobody where all are slow together', async () => {
    const { clock, balancer, events, health } = fleet(5, { latencyFactor: 5 })
    const round = async (slowMs: number, usualMs: number) => {
      const picks = Array.from({ length: 5 }, () => balancer.pick()!)
      const slow = picks.filter(({ endpoint }) => endpoint.id === '3')
      await clock.advance(usualMs)
      for (const pick of picks) if (!slow.includes(pick)) pick.done('success')
      await clock.advance(slowMs - usualMs)
      for (const pick of slow) pick.done('success')
    }
    for (let count = 0; count < 30; count++) await round(10, 10)
    for (let count = 0; count < 30; count++) await round(500, 500)
    expect(health()).toEqual(['in', 'in', 'in', 'in', 'in'])
    for (let count = 0; count < 60; count++) await round(500, 10)
    const ejected = events.flatMap((event) => (event.type === 'ejected' ? [`${event.endpoint} ${event.why}`] : []))
    expect(new Set(ejected)).toEqual(new Set(['3 latency']))
    expect(health()[3]).not.toBe('in')
  })
})
