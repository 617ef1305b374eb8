import {
  type BalancerEvent,
  createBalancer,
  lateBinding,
  leastLoaded,
  little,
  staticEndpoints,
} from '@headrace/balancer'
import { type Scenario, simulate } from '@headrace/balancer/sim'
import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'

/** One endpoint with one worker of 10 ms, and a line before it that the test keeps. */
async function busyFleet(policy = leastLoaded()) {
  const clock = manualClock()
  const events: BalancerEvent[] = []
  const balancer = createBalancer(staticEndpoints([{ address: 'a' }]), {
    policy,
    clock,
    random: seededRandom(1),
    observe: (event) => void events.push(event),
  })
  const open = []
  for (let turn = 0; turn < 200; turn++) {
    // Nothing waits at first; then each finds nine before it.
    open.push(balancer.pick()!)
    if (turn >= 100 && open.length < 10) continue
    await clock.advance(10)
    open.shift()!.done('success')
  }
  for (const pick of open) pick.done('ignored')
  return { clock, events, balancer }
}

describe('admission by deadline', () => {
  it('refuses what could not be answered in time, and says how long it would take', async () => {
    const { balancer, events } = await busyFleet()
    const picks = Array.from({ length: 20 }, () => balancer.pick({ deadlineMs: 95 }))
    expect(picks.filter((pick) => pick !== null).length).toBe(9)
    expect(events.at(-1)).toMatchObject({ type: 'refused', deadlineMs: 95 })
    expect((events.at(-1) as { expectedMs: number }).expectedMs).toBeCloseTo(100, 6)
    await expect(balancer.call(() => 1, { deadlineMs: 95 })).rejects.toMatchObject({ code: 'BUSY' })
    expect(balancer.pick({ deadlineMs: 105 })).not.toBeNull()
    expect(balancer.pick()).not.toBeNull()
  })

  it('counts those who wait in the client with those who wait at an endpoint', async () => {
    const { clock, balancer } = await busyFleet(lateBinding({ slots: 12 }))
    const work = async () => {
      await clock.sleep(1_000)
    }
    const calls = Array.from({ length: 40 }, () => balancer.call(work, { deadlineMs: 255 }).catch(({ code }) => code))
    await clock.advance(300)
    const codes = await Promise.all(calls)
    // 25 fit into 250 ms, half of them in slots; none of them is done in time, because the worker has got stuck.
    expect(codes.filter((code) => code === 'BUSY').length).toBe(15)
  })

  it('does not refuse for a short deadline alone, where nothing waits', async () => {
    const { balancer } = await busyFleet()
    expect(balancer.pick({ deadlineMs: 1 })).not.toBeNull()
  })

  it('refuses nothing as long as there never was a line, however seldom work comes', async () => {
    const clock = manualClock()
    const balancer = createBalancer(staticEndpoints([{ address: 'a' }]), { clock })
    for (let turn = 0; turn < 100; turn++) {
      const pick = balancer.pick({ deadlineMs: 100 })!
      await clock.advance(50)
      pick.done('success')
      await clock.advance(5_000)
    }
    const burst = Array.from({ length: 100 }, () => balancer.pick({ deadlineMs: 100 }))
    expect(burst).not.toContain(null)
  })

  it('knows nothing at first and refuses nothing', () => {
    const balancer = createBalancer(staticEndpoints([{ address: 'a' }]), { clock: manualClock() })
    const picks = Array.from({ length: 1_000 }, () => balancer.pick({ deadlineMs: 1 }))
    expect(picks).not.toContain(null)
  })

  it.each([1.5, 4])('keeps the goodput at %f times the capacity, within the deadline', async (utilization) => {
    const scenario: Scenario = {
      endpoints: [{ count: 20, workers: 4 }],
      utilization,
      deadlineMs: 100,
      requests: 60_000 * utilization,
      warmUpRequests: 20_000,
    }
    const { goodput, p99Ms, answered, late, refused } = await simulate(scenario, { policy: little() })
    expect(goodput).toBeGreaterThan(0.95)
    expect(p99Ms).toBeLessThan(100)
    expect(late / answered).toBeLessThan(0.05)
    expect(refused).toBeGreaterThan(10_000)
  })

  it('does not put endpoints out for an overload that is nobody’s fault', async () => {
    const events: BalancerEvent[] = []
    const clock = manualClock()
    const balancer = createBalancer(staticEndpoints([{ address: 'a' }, { address: 'b' }, { address: 'c' }]), {
      clock,
      observe: (event) => void events.push(event),
    })
    const round = async (count: number, ms: number, outcome: 'success' | 'failure') => {
      const picks = Array.from({ length: count }, () => balancer.pick({ deadlineMs: 1_000 }))
      await clock.advance(ms)
      for (const pick of picks) pick?.done(outcome)
    }
    for (let turn = 0; turn < 60; turn++) await round(3, 10, 'success')
    for (let turn = 0; turn < 40; turn++) await round(9, 60, 'success')
    await round(400, 500, 'failure')
    expect(events.some(({ type }) => type === 'refused')).toBe(true)
    await round(40, 500, 'failure')
    expect(events.some(({ type }) => type === 'ejected')).toBe(false)
  })
})
