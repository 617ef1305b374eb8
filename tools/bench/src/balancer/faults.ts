import { leastLoaded, little, peakEwma, rendezvous, twoChoices } from '@headrace/balancer'
import { type Contestant as Policy, type Scenario, simulate } from '@headrace/balancer/sim'
import type { BenchCase, Contestant } from '../bench.ts'

// Nine that work and one that does not.
const nineAnd = (odd: Scenario['endpoints'][number]): Scenario => ({
  endpoints: [
    { count: 9, workers: 4 },
    { workers: 4, ...odd },
  ],
  utilization: 0.7,
  service: { cv2: 4 },
  requests: 200_000,
})

const shareOfOdd =
  (scenario: Scenario, policy: Policy): Contestant =>
  async ({ quick, warmUp, seed }) => {
    const requests = warmUp ? 5_000 : quick ? 50_000 : scenario.requests
    const { shares, p99Ms } = await simulate({ ...scenario, requests }, policy, { seed })
    return { sharePercent: 100 * shares['1-0']!, p99Ms }
  }

const oddCase = (name: string, odd: Scenario['endpoints'][number]): BenchCase => {
  const scenario = nineAnd(odd)
  return {
    name,
    metrics: { sharePercent: '%', p99Ms: 'ms' },
    ours: shareOfOdd(scenario, { policy: little() }),
    peers: {
      'little without ejection': shareOfOdd(scenario, { policy: little(), ejection: false }),
      'least loaded without ejection': shareOfOdd(scenario, { policy: leastLoaded(), ejection: false }),
      'two choices without ejection': shareOfOdd(scenario, { policy: twoChoices(), ejection: false }),
      'peak EWMA without ejection': shareOfOdd(scenario, { policy: peakEwma(), ejection: false }),
    },
  }
}

const keyed: Scenario = {
  endpoints: [{ count: 20, workers: 4 }],
  utilization: 0.8,
  service: { cv2: 4 },
  keys: { count: 10_000, exponent: 0.8 },
  requests: 200_000,
}

const overlapsOf =
  (policy: Policy): Contestant =>
  async ({ quick, warmUp, seed }) => {
    const requests = warmUp ? 5_000 : quick ? 50_000 : keyed.requests
    const { overlaps, answered, p99Ms } = await simulate({ ...keyed, requests }, policy, { seed })
    return { overlapPercent: (100 * overlaps) / answered, p99Ms }
  }

// An answer takes 10 ms where nothing waits.
const flood = (utilization: number): BenchCase => ({
  name: `${utilization} times the capacity, deadline 100 ms`,
  metrics: { goodputPercent: '%', p99Ms: 'ms', latePercent: '%' },
  ours: async ({ quick, warmUp, seed }) => {
    const requests = warmUp ? 5_000 : (quick ? 30_000 : 100_000) * utilization
    const scenario: Scenario = { endpoints: [{ count: 20, workers: 4 }], utilization, deadlineMs: 100, requests }
    const { goodput, p99Ms, late, answered } = await simulate(scenario, { policy: little() }, { seed })
    return { goodputPercent: 100 * goodput, p99Ms, latePercent: (100 * late) / (late + answered) }
  },
})

export const faultCases: readonly BenchCase[] = [
  oddCase('one of ten fails at once', { behaviour: 'fail' }),
  oddCase('one of ten is 20 times slower', { speed: 0.05 }),
  {
    name: 'the same key on two endpoints at a time, Zipf 0.8 at 80 %',
    metrics: { overlapPercent: '%', p99Ms: 'ms' },
    ours: overlapsOf({ policy: rendezvous() }),
    peers: {
      'without the pin': overlapsOf({ policy: rendezvous({ pin: false }) }),
      'least loaded': overlapsOf({ policy: leastLoaded() }),
    },
  },
  ...[1.1, 2, 4].map(flood),
]
