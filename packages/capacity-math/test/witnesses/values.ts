import {
  erlangB,
  erlangC,
  littlesLaw,
  mmc,
  mmckBlocking,
  poissonCdf,
  poissonPmf,
  poissonSf,
  utilizationLaw,
} from '@headrace/capacity-math'
import { expectedAges, flowMonitor, poissonRate } from '@headrace/capacity-math/estimate'
import { md1kBlocking, tokenBucketLoss } from '@headrace/capacity-math/queues'
import { hotKeyLimit, zipf } from '@headrace/capacity-math/scalability'
import {
  constantTime,
  exponentialTime,
  type QueueSimulation,
  type SimulatedQueue,
  seededUniform,
  simulateNetwork,
  simulateQueue,
  simulateTokenBucket,
} from '@headrace/capacity-math/simulate'
import { expect } from 'vitest'
import { batchMeans } from '../../src/simulate/batch-means.ts'
import { customers, expectAgreement, seed, shareOf, stable, type Witnesses } from '../agreement.ts'

/** How many Poisson arrivals fall into stretches with so many on average, one stretch after the other. */
function counts(mean: number): () => number {
  const uniform = seededUniform(seed)
  const gap = exponentialTime(1)
  let next = gap(uniform)
  return () => {
    let count = 0
    for (; next < mean; next += gap(uniform)) count += 1
    next -= mean
    return count
  }
}

function simulated(lambda: number, run: Omit<QueueSimulation, 'arrivals' | 'customers' | 'seed'>): SimulatedQueue {
  return simulateQueue({ ...run, arrivals: exponentialTime(1 / lambda), customers, seed })
}

function tokenBucket(lambda: number, burst: number): () => void {
  return () => {
    const dropped = simulateTokenBucket({ arrivals: exponentialTime(1 / lambda), rate: 1, burst, customers, seed })
    expectAgreement('dropped', dropped, tokenBucketLoss({ lambda, rate: 1, burst }))
  }
}

/** Keys with the probabilities rank^-s, from the sums themselves. */
function keys(count: number, s: number): () => number {
  const sums: number[] = []
  for (let rank = 1; rank <= count; rank++) sums.push((sums.at(-1) ?? 0) + rank ** -s)
  const uniform = seededUniform(seed)
  return () => {
    const at = uniform() * sums.at(-1)!
    return 1 + sums.findIndex((sum) => sum > at)
  }
}

/** The ages of all in flight at each arrival, one by one, and from the monitor's counters. */
function ages(): void {
  const { response } = stable(mmc({ lambda: 2, mu: 1, servers: 3 }))
  const uniform = seededUniform(seed)
  const monitor = flowMonitor(0)
  const free = [0, 0, 0]
  let inFlight: { readonly at: number; readonly end: number }[] = []
  const sums = batchMeans(customers)
  for (let i = 0, now = 0; i < customers; i++) {
    now += exponentialTime(0.5)(uniform)
    const gone = inFlight.filter(({ end }) => end <= now).sort((a, b) => a.end - b.end)
    for (const { at, end } of gone) monitor.depart(end, end - at)
    inFlight = inFlight.filter(({ end }) => end > now)
    const sum = inFlight.reduce((total, { at }) => total + now - at, 0)
    if (i % 1000 === 0) expect(monitor.report(now).agesInFlight).toBeCloseTo(sum, 6)
    sums.add(sum)
    monitor.arrive(now)
    const server = free.indexOf(Math.min(...free))
    free[server] = Math.max(now, free[server]!) + exponentialTime(1)(uniform)
    inFlight.push({ at: now, end: free[server]! })
  }
  expectAgreement('ages', sums.result(), expectedAges({ lambda: 2, response }))
}

/** Functions that give a single value. */
export const valueWitnesses: Witnesses = {
  poissonPmf: {
    'arrivals in a stretch of 4': () => {
      const draw = counts(4)
      for (const k of [0, 3, 9])
        expectAgreement(
          `P(${k})`,
          shareOf(() => draw() === k),
          poissonPmf(k, 4),
        )
    },
  },
  poissonCdf: {
    'arrivals in a stretch of 90': () => {
      const draw = counts(90)
      for (const k of [75, 90, 100])
        expectAgreement(
          `P(≤ ${k})`,
          shareOf(() => draw() <= k, 20_000),
          poissonCdf(k, 90),
        )
    },
  },
  poissonSf: {
    'arrivals in a stretch of 12.5': () => {
      const draw = counts(12.5)
      for (const k of [8, 20])
        expectAgreement(
          `P(> ${k})`,
          shareOf(() => draw() > k),
          poissonSf(k, 12.5),
        )
    },
  },
  poissonRate: {
    'at each end of the interval so extreme a count has half of what is left of the confidence': () => {
      const { lower, upper } = poissonRate({ count: 8, exposure: 2, confidence: 0.9 })
      const [low, high] = [counts(2 * lower), counts(2 * upper)]
      expectAgreement(
        'P(≥ 8) at the lower end',
        shareOf(() => low() >= 8),
        0.05,
      )
      expectAgreement(
        'P(≤ 8) at the upper end',
        shareOf(() => high() <= 8),
        0.05,
      )
    },
  },
  erlangB: {
    'a pool without a queue, whatever the service times': () => {
      const { pBlock } = simulated(5, { service: constantTime(1), servers: 7, capacity: 7 })
      expectAgreement('pBlock', pBlock, erlangB({ servers: 7, load: 5 }))
    },
  },
  erlangC: {
    'a pool with a queue': () => {
      const { pWait } = simulated(5, { service: exponentialTime(1), servers: 7 })
      expectAgreement('pWait', pWait, erlangC({ servers: 7, load: 5 }))
    },
  },
  mmckBlocking: {
    'M/M/2/9 in overload': () => {
      const { pBlock } = simulated(2.5, { service: exponentialTime(1), servers: 2, capacity: 9 })
      expectAgreement('pBlock', pBlock, mmckBlocking({ lambda: 2.5, mu: 1, servers: 2, capacity: 9 }))
    },
  },
  md1kBlocking: {
    'M/D/1/6': () => {
      const { pBlock } = simulated(0.9, { service: constantTime(1), servers: 1, capacity: 6 })
      expectAgreement('pBlock', pBlock, md1kBlocking({ lambda: 0.9, serviceTime: 1, capacity: 6 }))
    },
  },
  tokenBucketLoss: {
    'at 0.9 of its rate and a burst of 20': tokenBucket(0.9, 20),
    'at 1.3 of its rate and a burst of 4.5': tokenBucket(1.3, 4.5),
  },
  littlesLaw: {
    'those that enter a queue that turns away': () => {
      const { found, W, pBlock } = simulated(2.2, { service: constantTime(1), servers: 2, capacity: 6 })
      // What arrivals find is what there is: they are Poisson.
      const { L } = littlesLaw({ lambda: 2.2 * (1 - pBlock.mean), W: W.mean })
      expectAgreement('L', found, L)
    },
  },
  utilizationLaw: {
    'busy servers where there are enough': () => {
      const { L } = simulateNetwork({
        stations: [{ service: exponentialTime(0.4), servers: 'delay', routing: [0] }],
        arrivals: [exponentialTime(0.1)],
        events: customers,
        seed,
      })
      expectAgreement('busy', L[0]!, 8 * utilizationLaw({ lambda: 10, meanService: 0.4, servers: 8 }))
    },
  },
  zipf: {
    'draws of 500 keys': () => {
      const [draw, other] = [keys(500, 0.99), keys(500, 0.99)]
      other()
      const { share, headShare, collision } = zipf({ keys: 500, s: 0.99 })
      expectAgreement(
        'share of the third',
        shareOf(() => draw() === 3),
        share(3),
      )
      expectAgreement(
        'share of the first ten',
        shareOf(() => draw() <= 10),
        headShare(10),
      )
      expectAgreement(
        'two alike',
        shareOf(() => draw() === other(), 200_000),
        collision,
      )
    },
  },
  hotKeyLimit: {
    'at the limit the hottest key is held all the time': () => {
      const draw = keys(500, 0.99)
      const limit = hotKeyLimit({ keys: 500, s: 0.99, hold: 0.005 })
      const { mean, error } = shareOf(() => draw() === 1)
      expectAgreement('held', { mean: mean * limit * 0.005, error: error * limit * 0.005 }, 1)
    },
  },
  expectedAges: { 'M/M/3, age by age': ages },
}
