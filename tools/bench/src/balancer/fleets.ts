import { lateBinding, leastLoaded, little, peakEwma, prequal, roundRobin, twoChoices } from '@headrace/balancer'
import { type Contestant as Policy, type Scenario, simulate } from '@headrace/balancer/sim'
import type { BenchCase, Contestant } from '../bench.ts'

// Endpoints of four kinds, work with a heavy tail, and neighbours that take three quarters of an endpoint now and then.
const fleet = (endpoints: number, dispatchers: number, utilization: number, requests: number): Scenario => ({
  endpoints: [1, 1, 0.5, 2].map((speed) => ({ count: endpoints / 4, workers: 4, speed })),
  dispatchers,
  utilization,
  service: { meanMs: 10, cv2: 4 },
  antagonists: { share: 0.1, speed: 0.25, episodeMs: 1_000 },
  requests,
})

const metrics = { p50Ms: 'ms', p99Ms: 'ms' }

/** Times of one policy in one scenario; none where it cannot keep up. */
const timesOf =
  (scenario: Scenario, policy: Policy): Contestant =>
  async ({ quick, warmUp, seed }) => {
    const share = warmUp ? Math.min(1, 5_000 / scenario.requests) : quick ? 0.1 : 1
    const requests = Math.ceil(share * scenario.requests)
    const warmUpRequests = scenario.warmUpRequests && Math.floor(share * scenario.warmUpRequests)
    const { p50Ms, p99Ms, unstable } = await simulate({ ...scenario, requests, warmUpRequests }, policy, { seed })
    return unstable ? {} : { p50Ms, p99Ms }
  }

/** Every policy in one scenario; late binding where a single dispatcher has the whole load. */
export function scenarioCases(at: string, scenario: Scenario): BenchCase[] {
  const central = { 'central queue': timesOf(scenario, 'central-queue') }
  const ours: BenchCase = {
    name: `little, ${at}`,
    metrics,
    ours: timesOf(scenario, { policy: little() }),
    peers: {
      ...central,
      'least loaded': timesOf(scenario, { policy: leastLoaded() }),
      'two choices': timesOf(scenario, { policy: twoChoices() }),
      'peak EWMA': timesOf(scenario, { policy: peakEwma() }),
      'hot-cold rule': timesOf(scenario, { policy: prequal() }),
      'round robin': timesOf(scenario, { policy: roundRobin() }),
    },
  }
  if ((scenario.dispatchers ?? 1) > 1) return [ours]
  return [
    ours,
    { name: `late binding, ${at}`, metrics, ours: timesOf(scenario, { policy: lateBinding() }), peers: central },
    {
      name: `late binding with 6 slots, ${at}`,
      metrics,
      ours: timesOf(scenario, { policy: lateBinding({ slots: 6 }) }),
      peers: central,
    },
  ]
}

const cases = (name: string, endpoints: number, dispatchers: number, requests: number): BenchCase[] =>
  [0.7, 0.85, 0.95].flatMap((utilization) =>
    scenarioCases(`${name} at ${utilization * 100} %`, fleet(endpoints, dispatchers, utilization, requests)),
  )

export const fleetCases: readonly BenchCase[] = [
  ...cases('20 endpoints, 1 dispatcher,', 20, 1, 300_000),
  ...cases('20 endpoints, 20 dispatchers,', 20, 20, 300_000),
  ...cases('100 endpoints, 100 dispatchers,', 100, 100, 400_000),
]
