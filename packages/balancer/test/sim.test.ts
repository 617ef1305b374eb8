import { leastLoaded, little, rendezvous, roundRobin, twoChoices } from '@headrace/balancer'
import { type Scenario, simulate } from '@headrace/balancer/sim'
import { mmc } from '@headrace/capacity-math'
import { describe, expect, it } from 'vitest'

const uneven: Scenario = {
  endpoints: [1, 1, 0.5, 2].map((speed) => ({ count: 5, workers: 4, speed })),
  utilization: 0.85,
  service: { meanMs: 10, cv2: 4 },
  antagonists: { share: 0.1, speed: 0.25, episodeMs: 1_000 },
  requests: 60_000,
}

/** An M/M/c queue: lognormal service times would not do, so work is made exponential by its own draw. */
const exponentialQueue = (workers: number, utilization: number): Scenario => ({
  endpoints: [{ workers }],
  utilization,
  service: { meanMs: 10, distribution: 'exponential' },
  rttMs: 0,
  requests: 200_000,
})

describe('the simulator', () => {
  it.each([
    [1, 0.5],
    [1, 0.7],
    [8, 0.8],
  ])('agrees with the queue M/M/%i at utilization %f', async (servers, utilization) => {
    const theory = mmc({ lambda: utilization * servers * 100, mu: 100, servers })
    if (!theory.stable) throw new Error('unstable')
    const result = await simulate(exponentialQueue(servers, utilization), { policy: leastLoaded() })
    expect(result.meanMs / (theory.W * 1e3)).toBeCloseTo(1, 1)
    expect(result.p99Ms / (theory.response.quantile(0.99) * 1e3)).toBeCloseTo(1, 1)
    expect(result.answered).toBe(180_000)
  })

  it('gives the same decisions for the same seed, bit for bit, and others for another', async () => {
    const run = (seed: number) => simulate({ ...uneven, requests: 20_000 }, { policy: little() }, { seed })
    expect(await run(1)).toEqual(await run(1))
    expect((await run(1)).digest).not.toBe((await run(2)).digest)
  })

  it('counts each request once', async () => {
    const scenario: Scenario = { ...uneven, deadlineMs: 30, utilization: 1.2, warmUpRequests: 0, requests: 20_000 }
    const { answered, failed, late, refused } = await simulate(scenario, { policy: twoChoices() })
    expect(answered + failed + late + refused).toBe(20_000)
    expect(late).toBeGreaterThan(50)
    expect(refused).toBeGreaterThan(1_000)
  })

  it('stops a run that cannot keep up', async () => {
    const scenario: Scenario = { endpoints: [{ workers: 1 }], utilization: 2, requests: 100_000 }
    const result = await simulate(scenario, { policy: leastLoaded() })
    expect(result.unstable).toBe(true)
    expect(result.answered).toBeLessThan(20_000)
  })

  it.each([
    ['requests', { requests: 0 }, 'requests must be from 1'],
    ['utilization', { utilization: 0 }, 'utilization must be from'],
    ['list of endpoints', { endpoints: { count: 2 } }, 'endpoints must be an array, received object'],
    ['endpoints', { endpoints: [{ behaviour: 'hang' }] }, 'endpoints must have one that works'],
    ['behaviour', { endpoints: [{ behaviour: 'sleep' }] }, "endpoints[0].behaviour must be 'work', 'fail' or 'hang'"],
    ['workers', { endpoints: [{ workers: 0 }] }, 'endpoints[0].workers must be from 1'],
    ['warm-up', { warmUpRequests: 60_000 }, 'warmUpRequests must be from 0 to 59999'],
    [
      'distribution',
      { service: { distribution: 'normal' } },
      "service.distribution must be 'lognormal' or 'exponential'",
    ],
  ])('names what is wrong with the %s', async (_, flaw, message) => {
    await expect(simulate({ ...uneven, ...flaw } as Scenario, 'central-queue')).rejects.toThrow(message)
  })
})

describe('in the simulator', () => {
  it('little comes close to the ideal central queue where round robin is lost', async () => {
    const central = await simulate(uneven, 'central-queue')
    const ours = await simulate(uneven, { policy: little() })
    const inTurn = await simulate(uneven, { policy: roundRobin() })
    expect(ours.p99Ms / central.p99Ms).toBeLessThan(1.3)
    expect(inTurn.unstable || inTurn.p99Ms > 4 * central.p99Ms).toBe(true)
  })

  it.each<[string, Scenario['endpoints'][number]]>([
    ['fails at once', { behaviour: 'fail' }],
    ['is twenty times slower', { speed: 0.05 }],
    ['hangs, which is seen before the first answer that it owes', { behaviour: 'hang' }],
  ])('one of ten that %s gets at most one in five hundred requests', async (_, odd) => {
    const scenario: Scenario = {
      endpoints: [
        { count: 9, workers: 4 },
        { workers: 4, ...odd },
      ],
      utilization: 0.7,
      requests: 100_000,
    }
    const { shares } = await simulate(scenario, { policy: little(), ejection: false })
    expect(shares['1-0']).toBeLessThan(0.002)
  })

  it('a cold newcomer is not buried by fifty dispatchers', async () => {
    const scenario: Scenario = {
      endpoints: [
        { count: 9, workers: 4 },
        { workers: 4, joinsAtMs: 2_000, cold: { speed: 0.2, forMs: 2_000 } },
      ],
      dispatchers: 50,
      utilization: 0.7,
      requests: 20_000,
      warmUpRequests: 5_000,
    }
    const slowly = await simulate(scenario, { policy: little() })
    const atOnce = await simulate(scenario, { policy: little(), slowStartMs: 0 })
    expect(slowly.shares['1-0']).toBeGreaterThan(0.01)
    expect(slowly.p999Ms).toBeLessThan(atOnce.p999Ms)
  })

  it('one that leaves gets nothing more, and what it has is answered', async () => {
    const scenario: Scenario = {
      endpoints: [
        { count: 3, workers: 4 },
        { workers: 4, leavesAtMs: 1_000 },
      ],
      utilization: 0.5,
      requests: 10_000,
      warmUpRequests: 0,
    }
    const { answered, shares } = await simulate(scenario, { policy: leastLoaded() })
    expect(answered).toBe(10_000)
    expect(shares['1-0']).toBeLessThan(0.12)
  })

  it('a pinned key is never in two places, and without the pin it is', async () => {
    const scenario: Scenario = {
      endpoints: [
        { count: 19, workers: 4 },
        { workers: 4, joinsAtMs: 1_000, leavesAtMs: 3_000 },
      ],
      utilization: 0.8,
      keys: { count: 10_000, exponent: 0.8 },
      requests: 40_000,
    }
    const pinned = await simulate(scenario, { policy: rendezvous({ boundedLoad: 1.25 }) })
    const loose = await simulate(scenario, { policy: rendezvous({ boundedLoad: 1.25, pin: false }) })
    expect(pinned.overlaps).toBe(0)
    expect(loose.overlaps).toBeGreaterThan(100)
  })
})
