import { createBalancer, lateBinding, staticEndpoints } from '@headrace/balancer'
import { type Scenario, simulate } from '@headrace/balancer/sim'
import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { describe, expect, it } from 'vitest'

function fleet(slots: number | undefined, count = 2) {
  const clock = manualClock()
  const endpoints = Array.from({ length: count }, (_, index) => ({ address: `${index}` }))
  const policy = lateBinding({ slots })
  const balancer = createBalancer(staticEndpoints(endpoints), { policy, clock, random: seededRandom(1) })
  return { clock, balancer }
}

// Below and above the number of endpoints at which the scan gives way to the winner tree.
describe.each([2, 40])('late binding before %i endpoints', (count) => {
  it('fills the slots and no more', () => {
    const { balancer } = fleet(3, count)
    const picks = Array.from({ length: 3 * count }, () => balancer.pick())
    expect(picks).not.toContain(null)
    expect(balancer.pick()).toBeNull()
    expect(balancer.stats().endpoints.every(({ inFlight }) => inFlight === 3)).toBe(true)
    picks[0]!.done('success')
    expect(balancer.pick()!.endpoint.id).toBe(picks[0]!.endpoint.id)
    expect(balancer.pick()).toBeNull()
  })

  it('lets calls wait and serves them in order of arrival', async () => {
    const { clock, balancer } = fleet(1, count)
    const picks = Array.from({ length: count }, () => balancer.pick()!)
    const order: number[] = []
    const calls = [1, 2, 3].map((number) =>
      balancer.call(async () => {
        order.push(number)
        await clock.sleep(10)
      }),
    )
    await clock.settle()
    expect(order).toEqual([])
    picks[0]!.done('success')
    await clock.settle()
    expect(order).toEqual([1])
    await clock.advance(10)
    expect(order).toEqual([1, 2])
    await clock.advance(20)
    await Promise.all(calls)
    expect(order).toEqual([1, 2, 3])
    expect(clock.pending).toBe(0)
  })
})

describe('the line of late binding', () => {
  it('is not overtaken by a call that comes when a slot has just become free', async () => {
    const { clock, balancer } = fleet(1, 1)
    const pick = balancer.pick()!
    const order: string[] = []
    const first = balancer.call(() => void order.push('first'))
    await clock.settle()
    pick.done('success')
    const second = balancer.call(() => void order.push('second'))
    await Promise.all([first, second])
    expect(order).toEqual(['first', 'second'])
  })

  it('is left at the deadline, when the caller aborts and when the balancer closes', async () => {
    const { clock, balancer } = fleet(1, 1)
    const pick = balancer.pick()!
    const caller = new AbortController()
    const codes: string[] = []
    const failed = (error: { code: string }) => void codes.push(error.code)
    const calls = [
      balancer.call(() => 1, { deadlineMs: 100 }).catch(failed),
      balancer.call(() => 1, { signal: caller.signal }).catch(failed),
      balancer.call(() => 1).catch(failed),
    ]
    await clock.advance(100)
    caller.abort()
    await clock.settle()
    const closed = balancer.close()
    await Promise.all(calls)
    expect(codes).toEqual(['UNAVAILABLE', 'ABORTED', 'CLOSED'])
    pick.done('success')
    expect(await closed).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('takes a thousand and refuses the next', async () => {
    const { balancer } = fleet(1, 1)
    const pick = balancer.pick()!
    const waiting = Array.from({ length: 1_000 }, () => balancer.call(() => 1).catch((error) => error.code))
    await expect(balancer.call(() => 1)).rejects.toMatchObject({ code: 'BUSY' })
    const closed = balancer.close()
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['CLOSED']))
    pick.done('success')
    expect(await closed).toBe(true)
  })
})

describe('learnt slots', () => {
  it('are unlimited before anything is known, and then a little more than what is worked on', async () => {
    const { clock, balancer } = fleet(undefined, 1)
    // Four workers, 10 ms each, never more than four at once.
    const worker = async () => {
      for (let turn = 0; turn < 60; turn++) {
        const pick = balancer.pick()!
        await clock.sleep(10)
        pick.done('success')
      }
    }
    const early = Array.from({ length: 200 }, () => balancer.pick()!)
    expect(early).not.toContain(null)
    for (const pick of early) pick.done('ignored')
    const workers = Promise.all([worker(), worker(), worker(), worker()])
    await clock.advance(2_000)
    await workers
    let slots = 0
    while (balancer.pick()) slots++
    expect(slots).toBeGreaterThanOrEqual(6)
    expect(slots).toBeLessThanOrEqual(12)
  })

  it.each([
    [4, 0.7, 0.5],
    [4, 0.95, 0.5],
    [16, 0.95, 0.5],
    [4, 0.7, 5],
  ])(
    'are the workers: %i each, at %f of capacity and %f ms away, the line here is as good as a central queue',
    async (workers, utilization, rttMs) => {
      const scenario: Scenario = {
        endpoints: [1, 1, 0.5, 2].map((speed) => ({ count: 2, workers, speed })),
        utilization,
        service: { meanMs: 10, cv2: 4 },
        rttMs,
        requests: 60_000,
      }
      const central = await simulate(scenario, 'central-queue')
      const ours = await simulate(scenario, { policy: lateBinding() })
      expect(ours.p99Ms / central.p99Ms).toBeLessThan(1.1)
    },
  )

  it('can be given instead, as a whole number from 1', () => {
    expect(() => lateBinding({ slots: 0 })).toThrow('slots must be from 1')
    expect(() => lateBinding({ slots: 1.5 })).toThrow('slots must be an integer')
  })
})
