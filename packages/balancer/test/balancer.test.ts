import { fc, test } from '@fast-check/vitest'
import { createBalancer, type Outcome, staticEndpoints } from '@headrace/balancer'
import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'

const pair = () => createBalancer(staticEndpoints([{ address: 'a' }, { address: 'b' }]), { random: seededRandom(1) })

describe('a pick', () => {
  it('counts as in flight until it is done, and then as what it became', () => {
    const balancer = pair()
    for (const outcome of ['success', 'failure', 'ignored'] as const) {
      const pick = balancer.pick({ exclude: new Set(['b']) })!
      expect(balancer.stats().endpoints[0]).toMatchObject({ inFlight: 1 })
      expect(pick.done(outcome)).toBe(true)
    }
    expect(balancer.stats().endpoints[0]).toMatchObject({ inFlight: 0, succeeded: 1, failed: 1, ignored: 1 })
  })

  it('is done once: what is said later changes nothing', () => {
    const balancer = pair()
    const pick = balancer.pick({ exclude: new Set(['b']) })!
    expect([pick.done('failure'), pick.done('success'), pick.done('failure')]).toEqual([true, false, false])
    expect(balancer.stats().endpoints[0]).toMatchObject({ inFlight: 0, succeeded: 0, failed: 1 })
  })

  it('refuses a word that is no outcome and stays open', () => {
    const balancer = pair()
    const pick = balancer.pick()!
    expect(() => pick.done('ok' as Outcome)).toThrow("outcome must be 'success', 'failure' or 'ignored', received ok")
    expect(pick.done('success')).toBe(true)
  })

  it('that leaves its scope without a word is ignored', () => {
    const balancer = pair()
    {
      using _pick = balancer.pick({ exclude: new Set(['b']) })
    }
    expect(balancer.stats().endpoints[0]).toMatchObject({ inFlight: 0, ignored: 1 })
  })

  it('is null where no time is left', () => {
    expect(pair().pick({ deadlineMs: 0 })).toBeNull()
    expect(pair().pick({ deadlineMs: 0.1 })).not.toBeNull()
  })

  it('names a bad option', () => {
    expect(() => pair().pick({ key: '' })).toThrow('key must not be empty')
    expect(() => pair().pick({ deadlineMs: Number.NaN })).toThrow('deadlineMs must be from')
  })

  const step = fc.oneof(
    fc.constant('pick' as const),
    fc.record({ pick: fc.nat(30), outcome: fc.constantFrom<Outcome>('success', 'failure', 'ignored') }),
  )
  test.prop([fc.array(step, { maxLength: 200 })])(
    'never leaves a count behind, whatever is done how often',
    (steps) => {
      const balancer = pair()
      const picks: { done(outcome: Outcome): boolean }[] = []
      let effective = 0
      for (const it of steps) {
        if (it === 'pick') picks.push(balancer.pick()!)
        else if (picks[it.pick]?.done(it.outcome)) effective++
      }
      const { endpoints } = balancer.stats()
      const sum = (of: (stats: (typeof endpoints)[number]) => number) =>
        endpoints.reduce((total, it) => total + of(it), 0)
      expect(sum((it) => it.inFlight)).toBe(picks.length - effective)
      expect(sum((it) => it.succeeded + it.failed + it.ignored)).toBe(effective)
      for (const pick of picks) pick.done('success')
      expect(balancer.stats().endpoints.map((it) => it.inFlight)).toEqual([0, 0])
    },
  )
})

describe('close', () => {
  it('picks no more', async () => {
    const balancer = pair()
    expect(await balancer.close()).toBe(true)
    expect(() => balancer.pick()).toThrow(expect.objectContaining({ code: 'CLOSED' }))
    await expect(balancer.call(() => 'never')).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('waits for the work in flight', async () => {
    const clock = manualClock()
    const balancer = createBalancer(staticEndpoints([{ address: 'a' }]), { clock })
    const pick = balancer.pick()!
    let closed: boolean | undefined
    void balancer.close().then((all) => {
      closed = all
    })
    await clock.advance(9_999)
    expect(closed).toBeUndefined()
    pick.done('success')
    await clock.settle()
    expect(closed).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('waits drainMs at most and says that something was left', async () => {
    const clock = manualClock()
    const balancer = createBalancer(staticEndpoints([{ address: 'a' }]), { clock })
    const pick = balancer.pick()!
    const closed = balancer.close({ drainMs: 50 })
    await clock.advance(50)
    expect(await closed).toBe(false)
    expect(pick.done('success')).toBe(true)
    expect(await balancer.close()).toBe(true)
  })

  it('can be called twice, and leaves no timer behind', async () => {
    const clock = manualClock()
    const balancer = createBalancer(staticEndpoints([{ address: 'a' }]), { clock })
    expect(await Promise.all([balancer.close(), balancer.close()])).toEqual([true, true])
    expect(clock.pending).toBe(0)
  })

  it('comes with the scope', async () => {
    let escaped = pair()
    {
      await using balancer = pair()
      escaped = balancer
    }
    expect(() => escaped.pick()).toThrow(expect.objectContaining({ code: 'CLOSED' }))
  })
})

describe('stats', () => {
  it('names policy, state and epoch', () => {
    expect(pair().stats()).toMatchObject({ policy: 'little', state: 'fresh', epoch: 1 })
  })
})
