import { getEventListeners } from 'node:events'
import { fc, test } from '@fast-check/vitest'
import { type BalancerEvent, createBalancer, leastLoaded, type Policy, twoChoices } from '@headrace/balancer'
import { HeadraceError, seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'
import { fresh, pushedDiscovery } from './pushed.ts'

const names = (count: number) => Array.from({ length: count }, (_, index) => `${index}`)

function fleet(count: number, options: { policy?: Policy; ejection?: object; retryBudget?: object } = {}) {
  const clock = manualClock()
  const events: BalancerEvent[] = []
  const discovery = pushedDiscovery(fresh(...names(count)))
  const observe = (event: BalancerEvent) => void events.push(event)
  const balancer = createBalancer(discovery, { clock, random: seededRandom(1), observe, ...options })
  return { clock, events, discovery, balancer }
}

describe('an endpoint that flaps', () => {
  it('is out longer and longer, and its load does not swing to the others and back', async () => {
    const { clock, events, balancer } = fleet(4, {
      policy: leastLoaded(),
      ejection: { failures: 2, pauseMinMs: 1_000, pauseMaxMs: 60_000 },
    })
    let wellUntilMs = 0
    let sent = 0
    for (let turn = 0; turn < 4_000; turn++) {
      const pick = balancer.pick()!
      const isFlapping = pick.endpoint.id === '0'
      // Well for one answer whenever it is tried again, and then broken.
      if (isFlapping) sent++
      const isWell = !isFlapping || clock.nowMs() > wellUntilMs
      if (isFlapping && isWell) wellUntilMs = clock.nowMs() + 60_000
      await clock.advance(25)
      pick.done(isWell ? 'success' : 'failure')
    }
    const pauses = events.flatMap((event) =>
      event.type === 'ejected' && event.endpoint === '0' ? [event.pauseMs] : [],
    )
    expect(pauses.length).toBeGreaterThanOrEqual(3)
    expect(pauses.at(-1)! / pauses[0]!).toBeGreaterThan(2)
    // An even share would be 1,000.
    expect(sent).toBeLessThan(50)
  })

  it('on the list keeps its work, its counts and its place in the slow start', async () => {
    const { clock, discovery, balancer } = fleet(2)
    const pick = balancer.pick({ exclude: new Set(['1']) })!
    for (let flap = 0; flap < 20; flap++) {
      discovery.push(fresh('1'))
      await clock.settle()
      discovery.push(fresh('0', '1'))
      await clock.settle()
    }
    expect(balancer.stats().endpoints).toMatchObject([{ inFlight: 1, draining: false }, { inFlight: 0 }])
    expect(pick.done('success')).toBe(true)
    expect(balancer.stats().endpoints[0]).toMatchObject({ inFlight: 0, succeeded: 1 })
    // New to the list, it begins with a tenth.
    const picks = Array.from({ length: 40 }, () => balancer.pick()!.endpoint.id)
    expect(picks.filter((id) => id === '0').length).toBeLessThan(10)
  })
})

describe('panic and slow start together', () => {
  it('leave somebody to try, all newcomers, half of them out', async () => {
    const { clock, discovery, balancer } = fleet(2, { ejection: { failures: 1 } })
    discovery.push(fresh(...names(12).map((name) => `new ${name}`)))
    await clock.settle()
    const tried = new Set<string>()
    for (let turn = 0; turn < 300; turn++) {
      const pick = balancer.pick()!
      tried.add(pick.endpoint.id)
      await clock.advance(10)
      pick.done('failure')
    }
    expect(tried.size).toBe(12)
    expect(balancer.stats().endpoints.filter(({ health }) => health === 'in').length).toBeGreaterThanOrEqual(6)
  })
})

describe('the signal of a caller', () => {
  it('has no listener left after any number of calls, however they ended', async () => {
    const { clock, balancer } = fleet(3)
    const caller = new AbortController()
    const { signal } = caller
    const calls = [
      () => balancer.call(() => 1, { signal }),
      () => balancer.call(async () => 1, { signal }),
      () => balancer.call(() => Promise.reject(new HeadraceError('REJECTED', 'no')), { signal }),
      () => balancer.call(() => Promise.reject(new Error('no')), { signal, idempotent: true }),
      () => balancer.call(() => clock.sleep(50), { signal, idempotent: true, hedgeAfterMs: 10 }),
      () => balancer.call(() => new Promise(() => {}), { signal, deadlineMs: 20 }),
    ]
    const ends = calls.map((call) => call().catch(() => {}))
    await clock.advance(100)
    await Promise.all(ends)
    expect(getEventListeners(signal, 'abort').length).toBe(0)
  })
})

describe('work that misbehaves', () => {
  it('fails at once at three thousand endpoints in a row without exhausting the stack', async () => {
    const { balancer } = fleet(3_000, { policy: twoChoices(), retryBudget: { perSec: 1e6 } })
    let attempts = 0
    const fail = () => {
      attempts++
      throw new HeadraceError('UNAVAILABLE', 'down')
    }
    await expect(balancer.call(fail, { attempts: 3_000 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(attempts).toBe(3_000)
  })

  const thenable = (descriptor: PropertyDescriptor) => Object.defineProperty({}, 'then', descriptor)
  const broken = () => {
    throw new Error('mine')
  }

  it.each<[string, unknown]>([
    [
      'a thenable that rejects',
      thenable({ value: (_: unknown, reject: (error: Error) => void) => reject(Error('mine')) }),
    ],
    ['a thenable that throws', thenable({ value: broken })],
    ['something that cannot even be asked whether it is one', thenable({ get: broken })],
  ])('gives %s, and is counted once as failed', async (_, given) => {
    const { balancer } = fleet(1)
    await expect(balancer.call(() => given)).rejects.toThrow('mine')
    expect(balancer.stats().endpoints[0]).toMatchObject({ inFlight: 0, failed: 1 })
  })
})

describe('counts and sums', () => {
  test.prop([
    fc.array(fc.record({ stepMs: fc.double({ min: 0, max: 1e9, noNaN: true }), at: fc.nat(7) }), { maxLength: 300 }),
  ])('neither drift nor become negative over months of any work', async (steps) => {
    const { clock, balancer } = fleet(3)
    const open = Array.from({ length: 8 }, () => balancer.pick()!)
    for (const { stepMs, at } of steps) {
      await clock.advance(stepMs)
      open[at]!.done('success')
      open[at] = balancer.pick()!
      for (const { residenceMs, inFlight } of balancer.stats().endpoints) {
        expect(residenceMs).toBeGreaterThanOrEqual(0)
        expect(Number.isFinite(residenceMs)).toBe(true)
        expect(inFlight).toBeGreaterThanOrEqual(0)
      }
    }
    for (const pick of open) pick.done('ignored')
    expect(balancer.stats().endpoints.map(({ inFlight }) => inFlight)).toEqual([0, 0, 0])
  })
})
