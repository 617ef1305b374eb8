import { fc, test } from '@fast-check/vitest'
import { type BalancerEvent, type CallOptions, createBalancer, roundRobin, staticEndpoints } from '@headrace/balancer'
import { HeadraceError, seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'

function fleet(count = 5, retryBudget = {}) {
  const clock = manualClock()
  const events: BalancerEvent[] = []
  const endpoints = staticEndpoints(Array.from({ length: count }, (_, index) => ({ address: `${index}` })))
  const balancer = createBalancer(endpoints, {
    policy: roundRobin(),
    clock,
    random: seededRandom(1),
    ejection: false,
    retryBudget,
    observe: (event) => void events.push(event),
  })
  return { clock, events, balancer }
}

const unavailable = () => Promise.reject(new HeadraceError('UNAVAILABLE', 'down'))

describe('the budget for repetitions', () => {
  test.prop([
    fc.array(fc.record({ fails: fc.boolean(), pauseMs: fc.nat(200), attempts: fc.integer({ min: 1, max: 5 }) }), {
      maxLength: 60,
    }),
  ])('lets through a fifth of the calls and ten a second, whatever fails when', async (calls) => {
    const { clock, balancer } = fleet()
    let sent = 0
    for (const { fails, pauseMs, attempts } of calls) {
      await balancer
        .call(
          async () => {
            sent++
            if (fails) await unavailable()
          },
          { attempts },
        )
        .catch(() => {})
      await clock.advance(pauseMs)
    }
    const seconds = clock.nowMs() / 1_000
    expect(sent - calls.length).toBeLessThanOrEqual(0.2 * calls.length + 10 * seconds + 10)
  })

  test.prop([
    fc.array(
      fc.record({
        fate: fc.constantFrom('answers', 'refuses', 'breaks', 'hangs', 'is slow' as const),
        hedgeAfterMs: fc.option(fc.nat(40), { nil: undefined }),
        attempts: fc.integer({ min: 1, max: 5 }),
        pauseMs: fc.oneof(fc.constant(0), fc.nat(100)),
      }),
      { maxLength: 80 },
    ),
  ])('lets through no more with hedges among them and many calls at once, whatever becomes of each', async (calls) => {
    const { clock, balancer } = fleet()
    let sent = 0
    const ends = []
    for (const { fate, hedgeAfterMs, attempts, pauseMs } of calls) {
      const work = async () => {
        sent++
        if (fate === 'refuses') await unavailable()
        if (fate === 'breaks') throw new Error('reset')
        if (fate === 'hangs') await new Promise(() => {})
        if (fate === 'is slow') await clock.sleep(60)
      }
      ends.push(balancer.call(work, { attempts, hedgeAfterMs, idempotent: true, deadlineMs: 150 }).catch(() => {}))
      if (pauseMs > 0) await clock.advance(pauseMs)
    }
    await clock.advance(200)
    await Promise.all(ends)
    expect(sent - calls.length).toBeLessThanOrEqual(0.2 * calls.length + (10 * clock.nowMs()) / 1_000 + 10)
    expect(balancer.stats().endpoints.every(({ inFlight }) => inFlight === 0)).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('ends the repetitions of an outage, and the error is that of the work', async () => {
    const { balancer, events } = fleet()
    for (let call = 0; call < 100; call++) {
      await expect(balancer.call(unavailable)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    }
    // Ten to begin with, and twenty paid in by a hundred calls.
    expect(events.filter(({ type }) => type === 'retry').length).toBe(30)
  })

  it('fills up again with time, to a limit', async () => {
    const { clock, balancer, events } = fleet(5, { share: 0, perSec: 2 })
    const storm = async () => {
      const before = events.length
      for (let call = 0; call < 50; call++) await balancer.call(unavailable).catch(() => {})
      return events.slice(before).filter(({ type }) => type === 'retry').length
    }
    expect(await storm()).toBe(2)
    await clock.advance(3_600_000)
    expect(await storm()).toBe(20)
  })

  it('names a bad option', () => {
    expect(() => fleet(1, { share: -1 })).toThrow('retryBudget.share must be from 0')
    expect(() => fleet(1, { perSec: Number.NaN })).toThrow('retryBudget.perSec must be from 0')
  })
})

describe('a hedge', () => {
  const options: CallOptions = { idempotent: true, hedgeAfterMs: 50 }

  it('is sent elsewhere when the first takes long, and the faster one counts', async () => {
    const { clock, balancer, events } = fleet()
    const signals: AbortSignal[] = []
    const tried: string[] = []
    const call = balancer.call(async ({ id }, { signal, attempt }) => {
      signals.push(signal)
      tried.push(id)
      await clock.sleep(attempt === 1 ? 1_000 : 10)
      return attempt
    }, options)
    await clock.advance(49)
    expect(tried.length).toBe(1)
    await clock.advance(11)
    expect(await call).toBe(2)
    expect(new Set(tried).size).toBe(2)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    expect(events.at(-1)).toEqual({ type: 'hedge', endpoint: tried[1], attempt: 2 })
    await clock.advance(1_000)
    const { endpoints } = balancer.stats()
    expect(endpoints.reduce((sum, it) => sum + it.inFlight, 0)).toBe(0)
    expect(endpoints.map((it) => it.failed)).toEqual([0, 0, 0, 0, 0])
    expect(clock.pending).toBe(0)
  })

  it('is called off when the first answers after all', async () => {
    const { clock, balancer } = fleet()
    const signals: AbortSignal[] = []
    const call = balancer.call(async (_, { signal, attempt }) => {
      signals.push(signal)
      await clock.sleep(attempt === 1 ? 60 : 1_000)
      return attempt
    }, options)
    await clock.advance(60)
    expect(await call).toBe(1)
    await clock.settle()
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, true])
  })

  it('is not sent when the first has answered', async () => {
    const { clock, balancer, events } = fleet()
    expect(await balancer.call(() => 'quick', options)).toBe('quick')
    await clock.advance(100)
    expect(events.some(({ type }) => type === 'hedge')).toBe(false)
    expect(clock.pending).toBe(0)
  })

  it('waits for the other one where one fails, and fails with the last where both do', async () => {
    const { clock, balancer } = fleet()
    const secondFails = balancer.call(async (_, { attempt }) => {
      await clock.sleep(attempt === 1 ? 200 : 10)
      if (attempt === 2) throw new Error('second')
      return attempt
    }, options)
    await clock.advance(200)
    expect(await secondFails).toBe(1)
    const bothFail = expect(
      balancer.call(
        async (_, { attempt }) => {
          await clock.sleep(attempt === 1 ? 200 : 10)
          throw new Error(`number ${attempt}`)
        },
        { ...options, attempts: 2 },
      ),
    ).rejects.toThrow('number 1')
    await clock.advance(200)
    await bothFail
  })

  it('stops both when the caller aborts', async () => {
    const { clock, balancer } = fleet()
    const caller = new AbortController()
    const signals: AbortSignal[] = []
    const call = expect(
      balancer.call(
        (_, { signal }) => {
          signals.push(signal)
          return new Promise<never>(() => {})
        },
        { ...options, signal: caller.signal },
      ),
    ).rejects.toMatchObject({ code: 'ABORTED' })
    await clock.advance(60)
    caller.abort()
    await call
    await clock.settle()
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
    expect(balancer.stats().endpoints.every(({ inFlight, failed }) => inFlight === 0 && failed === 0)).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('is not sent while answers are slow because endpoints are busy', async () => {
    const { clock, balancer, events } = fleet(1)
    const busy = async (ms: number, calls: number) => {
      for (let call = 0; call < calls; call++) {
        const pick = balancer.pick()!
        await clock.advance(ms)
        pick.done('success')
      }
    }
    await busy(10, 40)
    await busy(40, 40)
    const call = balancer.call(() => clock.sleep(200), options)
    await clock.advance(200)
    await call
    expect(events.some(({ type }) => type === 'hedge')).toBe(false)
  })

  it('pays from the same budget as a retry', async () => {
    const { clock, balancer, events } = fleet(5, { share: 0, perSec: 1 })
    const slow = () => clock.sleep(200)
    const calls = [balancer.call(slow, options), balancer.call(slow, options)]
    await clock.advance(200)
    await Promise.all(calls)
    expect(events.filter(({ type }) => type === 'hedge').length).toBe(1)
  })

  it('is only for what may be done twice', async () => {
    const { balancer } = fleet()
    await expect(balancer.call(() => 1, { hedgeAfterMs: 5 })).rejects.toThrow(
      'hedgeAfterMs needs a call that is idempotent',
    )
    await expect(balancer.call(() => 1, { idempotent: true, hedgeAfterMs: -5 })).rejects.toThrow(
      'hedgeAfterMs must be from 0',
    )
  })
})
