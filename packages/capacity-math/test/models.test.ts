import { fc, test } from '@fast-check/vitest'
import { minCapacity, mmc, mmck, mmckBlocking } from '@headrace/capacity-math'
import { closedBounds, closedNetwork, jackson, mva, mvaMulticlass } from '@headrace/capacity-math/networks'
import {
  batchService,
  finiteSource,
  ggc,
  mg1,
  minBatch,
  priorityQueue,
  quorumTime,
  tandemTime,
  tokenBucketLoss,
} from '@headrace/capacity-math/queues'
import { fitUsl, hotKeyLimit, powerOfD, usl, zipf } from '@headrace/capacity-math/scalability'
import { drain, retryAmplification, retryStorm, safeRetries, timeToOverflow } from '@headrace/capacity-math/stability'
import { describe, expect, it } from 'vitest'

function stable<Queue extends { readonly stable: boolean }>(queue: Queue): Extract<Queue, { readonly stable: true }> {
  if (!queue.stable) throw new Error('unstable')
  return queue as Extract<Queue, { readonly stable: true }>
}

describe('scalability', () => {
  test.prop([
    fc.double({ min: 0.01, max: 0.4, noNaN: true }),
    fc.double({ min: 1e-5, max: 0.009, noNaN: true }),
    fc.double({ min: 0.05, max: 0.99, noNaN: true }),
  ])('each inverse of the USL undoes its function', (sigma, kappa, part) => {
    const law = usl({ lambda: 40, sigma, kappa })
    const n = 1 + (law.peak!.concurrency - 1) * part
    expect(law.concurrencyAtThroughput(law.throughput(n)) / n).toBeCloseTo(1, 6)
    expect(law.latencyAtThroughput(law.throughput(n)) / law.latency(n)).toBeCloseTo(1, 6)
    expect(law.concurrencyAtLatency(law.latency(n)) / n).toBeCloseTo(1, 9)
    expect(law.throughputAtLatency(law.latency(n)) / law.throughput(n)).toBeCloseTo(1, 9)
    expect(law.throughput(law.peak!.concurrency) / law.peak!.throughput).toBeCloseTo(1, 12)
  })

  it('a throughput beyond the peak is refused with the peak', () => {
    const law = usl({ lambda: 100, sigma: 0.1, kappa: 0.01 })
    expect(() => law.concurrencyAtThroughput(law.peak!.throughput * 1.01)).toThrow(
      `throughput must be up to ${law.peak!.throughput}`,
    )
    expect(() => usl({ lambda: 100, sigma: 0, kappa: 0 }).concurrencyAtLatency(1)).toThrow('latency must be from')
    expect(usl({ lambda: 100, sigma: 0.2, kappa: 0 }).peak).toBeNull()
  })

  it('a fit finds the law that made the points, and keeps noise within its bounds', () => {
    const law = usl({ lambda: 250, sigma: 0.07, kappa: 0.002 })
    const points = [1, 2, 4, 8, 16, 32, 64].map((concurrency) => ({
      concurrency,
      throughput: law.throughput(concurrency),
    }))
    const fit = fitUsl(points)
    expect(fit.lambda).toBeCloseTo(250, 6)
    expect(fit.sigma).toBeCloseTo(0.07, 9)
    expect(fit.kappa).toBeCloseTo(0.002, 10)
    expect(fit.rSquared).toBeCloseTo(1, 12)
    const linear = [1, 2, 4, 8].map((concurrency) => ({
      concurrency,
      throughput: concurrency * (10 + concurrency / 100),
    }))
    expect(fitUsl(linear)).toMatchObject({ sigma: 0, kappa: 0 })
    expect(fitUsl(linear, { bounds: 'none' }).sigma).toBeLessThan(0)
    expect(() => fitUsl(points.slice(0, 2))).toThrow('points must have 3 entries or more')
  })

  test.prop([fc.integer({ min: 1, max: 3000 }), fc.double({ min: 0, max: 6, noNaN: true })])(
    'the sums of Zipf are sums',
    (keys, s) => {
      let sum = 0
      for (let k = keys; k >= 1; k--) sum += k ** -s
      expect(zipf({ keys, s }).harmonic / sum).toBeCloseTo(1, 12)
      expect(zipf({ keys, s }).headShare(keys)).toBe(1)
    },
  )

  it('one hot key caps the system whatever the number of nodes', () => {
    expect(hotKeyLimit({ keys: 1e6, s: 0.99, hold: 0.005 })).toBeCloseTo(3078.4, 1)
    expect(zipf({ keys: 1e6, s: 0.99 }).share(1)).toBeCloseTo(0.065, 4)
    expect(() => zipf({ keys: 10, s: 1 }).share(11)).toThrow('rank must be from 1 to 10')
  })

  it('two choices do what many servers would, one choice is M/M/1', () => {
    expect(powerOfD({ rho: 0.9, d: 1 }).meanResponse).toBeCloseTo(10, 10)
    expect(powerOfD({ rho: 0.9, d: 2 }).meanResponse).toBeLessThan(2.7)
    expect(powerOfD({ rho: 0.5, d: 2 }).shareWithAtLeast(3)).toBeCloseTo(0.5 ** 7, 14)
  })
})

describe('retry storms', () => {
  it('is the worked example: safe to 25, collapsing above 69.37, and at 30 between the two', () => {
    const storm = retryStorm({ lambda: 30, mu: 100, timeout: 0.1, maxRetries: 3 })
    expect(storm).toMatchObject({ verdict: 'metastable', safeBelow: 25, congested: 120 })
    expect(storm.collapseAt).toBeCloseTo(69.37, 2)
    expect(storm.attempts).toBeCloseTo(30.03, 2)
    expect(storm.tippingPoint).toBeCloseTo(98.61, 2)
    expect(retryStorm({ lambda: 20, mu: 100, timeout: 0.1, maxRetries: 3 })).toMatchObject({
      verdict: 'safe',
      tippingPoint: null,
      congested: null,
    })
    expect(retryStorm({ lambda: 80, mu: 100, timeout: 0.1, maxRetries: 3 })).toMatchObject({
      verdict: 'collapse',
      attempts: null,
    })
  })

  test.prop([
    fc.double({ min: 0.05, max: 0.95, noNaN: true }),
    fc.integer({ min: 1, max: 20 }),
    fc.integer({ min: 0, max: 5 }),
  ])('its attempts are those that its retries make', (rho, servers, maxRetries) => {
    const { attempts, verdict } = retryStorm({ lambda: rho * servers, mu: 1, servers, timeout: 4, maxRetries })
    expect(attempts === null).toBe(verdict === 'collapse')
    if (attempts === null) return
    const p = stable(mmc({ lambda: attempts, mu: 1, servers })).response.sf(4)
    expect(rho * servers * retryAmplification({ p, maxRetries })).toBeCloseTo(attempts, 8)
  })

  test.prop([fc.double({ min: 0.01, max: 0.99, noNaN: true }), fc.integer({ min: 1, max: 50 })])(
    'the retry budget is safe, and one more is not',
    (rho, servers) => {
      const retries = safeRetries({ lambda: rho * servers, mu: 1, servers })
      const verdict = (maxRetries: number) =>
        retryStorm({ lambda: rho * servers, mu: 1, servers, timeout: 30, maxRetries }).verdict
      expect(verdict(retries)).toBe('safe')
      expect(verdict(retries + 1)).not.toBe('safe')
    },
  )
})

describe('backlogs', () => {
  it('drain at the spare rate, with the spread of a first passage', () => {
    expect(drain({ backlog: 100, lambda: 8, mu: 1, servers: 10 })).toEqual({ mean: 50, variance: 50 * (18 / 2 / 2) })
    expect(() => drain({ backlog: 1, lambda: 2, mu: 1 })).toThrow('lambda must be below servers × mu = 1 to drain')
  })

  it('overflow after the mean times between the states', () => {
    // By hand for M/M/1: 1/λ, then (1 + μ e)/λ.
    expect(timeToOverflow({ lambda: 0.5, mu: 1, servers: 1, limit: 2 })).toBe(2 + 6)
    expect(timeToOverflow({ lambda: 1e-3, mu: 1, servers: 1, limit: 500 })).toBe(Number.MAX_VALUE)
  })
})

describe('writers and locks', () => {
  it('one batch writer takes what would need six lock holders', () => {
    const { W, meanBatch, wait } = stable(batchService({ lambda: 900, mu: 200, maxBatch: 64 }))
    expect(W).toBeCloseTo(0.0098, 4)
    expect(wait.quantile(0.99)).toBeCloseTo(0.0228, 4)
    expect(meanBatch).toBeCloseTo(4.68, 2)
  })

  test.prop([fc.double({ min: 0.5, max: 30, noNaN: true })])(
    'the smallest batch is enough, and one less is not',
    (lambda) => {
      const batch = minBatch({ lambda, mu: 1, t: 9, share: 0.01 })
      const late = (maxBatch: number) => {
        const queue = batchService({ lambda, mu: 1, maxBatch })
        return queue.stable ? queue.response.sf(9) : 1
      }
      expect(late(batch)).toBeLessThanOrEqual(0.01)
      if (batch > 1) expect(late(batch - 1)).toBeGreaterThan(0.01)
    },
  )

  it('64 clients at one lock get 500 per second and wait 116 ms', () => {
    const { throughput, Wq } = finiteSource({ clients: 64, thinkTime: 0.01, serviceTime: 0.002, servers: 1 })
    expect(throughput).toBeCloseTo(500, 9)
    expect(Wq).toBeCloseTo(0.116, 9)
  })

  it('a token bucket drops 0.1853 % of 90/s at 100/s and a burst of 20', () => {
    expect(tokenBucketLoss({ lambda: 90, rate: 100, burst: 20 })).toBeCloseTo(0.001853, 6)
    expect(tokenBucketLoss({ lambda: 0, rate: 100, burst: 1 })).toBe(0)
    expect(() => tokenBucketLoss({ lambda: 1, rate: 1, burst: 0.5 })).toThrow('burst must be from 1')
  })

  it('a large bucket at exactly its rate drops one in 2b, and near it there is no seam', () => {
    // With b whole at load 1 the loss is 1 / (1 + G) with G = 2 (b - 1) + 2/3, to all digits from b = 30 on.
    const loss = (lambda: number) => tokenBucketLoss({ lambda, rate: 1, burst: 200_000 })
    expect(loss(1) * (2 * 199_999 + 5 / 3)).toBeCloseTo(1, 12)
    expect(loss(1 - 1e-9) / loss(1)).toBeCloseTo(1, 3)
    expect(loss(1 + 1e-9) / loss(1)).toBeCloseTo(1, 3)
    expect(loss(1 - 1e-9)).toBeLessThan(loss(1))
    expect(loss(1 + 1e-9)).toBeGreaterThan(loss(1))
  })

  it('one of n answers is the minimum, all of them the maximum', () => {
    expect(quorumTime({ k: 1, n: 5, mu: 2 }).sf(0.3)).toBeCloseTo(Math.exp(-3), 14)
    expect(quorumTime({ k: 5, n: 5, mu: 2 }).cdf(0.3)).toBeCloseTo((1 - Math.exp(-0.6)) ** 5, 14)
    expect(tandemTime([3]).sf(0.5)).toBeCloseTo(Math.exp(-1.5), 14)
  })

  it('the bound of the queue turns away no more than asked', () => {
    const capacity = minCapacity({ lambda: 0.9, mu: 1, servers: 1, blocking: 0.01 })
    expect(mmckBlocking({ lambda: 0.9, mu: 1, servers: 1, capacity })).toBeLessThanOrEqual(0.01)
    expect(mmckBlocking({ lambda: 0.9, mu: 1, servers: 1, capacity: capacity - 1 })).toBeGreaterThan(0.01)
    expect(mmck({ lambda: 0.9, mu: 1, servers: 1, capacity }).pBlock).toBe(
      mmckBlocking({ lambda: 0.9, mu: 1, servers: 1, capacity }),
    )
    expect(() => minCapacity({ lambda: 2, mu: 1, servers: 1, blocking: 0.4 })).toThrow('blocking must be above 0.5')
  })
})

describe('networks', () => {
  it('mean value analysis of two equal stations is that of the book: X = N / (D (N + M - 1))', () => {
    const { X, R, Q } = mva({ demands: [0.5, 0.5], thinkTime: 0, population: 7 })
    expect(X).toBeCloseTo(7 / (0.5 * 8), 12)
    expect(R * X).toBeCloseTo(7, 12)
    expect(Q[0]).toBeCloseTo(3.5, 12)
  })

  test.prop([
    fc.double({ min: 0.01, max: 2, noNaN: true }),
    fc.double({ min: 0.01, max: 2, noNaN: true }),
    fc.double({ min: 0.001, max: 5, noNaN: true }),
    fc.integer({ min: 1, max: 60 }),
  ])('three ways to one closed network', (a, b, thinkTime, population) => {
    const { X } = mva({ demands: [a, b], thinkTime, population })
    const stations = [a, b].map((service) => ({ visits: 1, service, servers: 1 }))
    expect(closedNetwork({ stations, thinkTime, population }).X / X).toBeCloseTo(1, 10)
    const classes = mvaMulticlass({
      demands: [[a, b]],
      populations: [population],
      thinkTimes: [thinkTime],
      delay: [false, false],
    })
    expect(classes.X[0]! / X).toBeCloseTo(1, 10)
  })

  test.prop([
    fc.array(fc.double({ min: 0.01, max: 2, noNaN: true }), { minLength: 1, maxLength: 5 }),
    fc.constantFrom(0, 0.1, 3),
    fc.integer({ min: 1, max: 60 }),
  ])('lie between their bounds, which meet where all stations are alike', (demands, thinkTime, population) => {
    const { X, R } = mva({ demands, thinkTime, population })
    const bounds = closedBounds({ demands, thinkTime, population })
    for (const [value, { lower, upper }] of [
      [X, bounds.X],
      [R, bounds.R],
    ] as const) {
      expect(value).toBeGreaterThanOrEqual(lower * (1 - 1e-9))
      expect(value).toBeLessThanOrEqual(upper * (1 + 1e-9))
    }
    const alike = closedBounds({ demands: [0.5, 0.5, 0.5], thinkTime: 0, population })
    expect(alike.X.lower / alike.X.upper).toBeCloseTo(1, 12)
    expect(alike.knee).toBe(3)
  })

  it('an open network whose station is overloaded says which, and gives no mean', () => {
    const network = jackson([
      { arrivals: 3, mu: 5, servers: 1, routing: [0, 1] },
      { arrivals: 0, mu: 2, servers: 1, routing: [0, 0] },
    ])
    expect(network.stable).toBe(false)
    expect(network.stations.map(({ queue }) => queue.stable)).toEqual([true, false])
    expect(network).not.toHaveProperty('W')
    expect(() => jackson([{ arrivals: 1, mu: 2, servers: 1, routing: [1] }])).toThrow('no single solution')
  })
})

describe('classes', () => {
  it('the important wait less than without classes, the others more, and the work is the same', () => {
    const classes = [
      { lambda: 0.3, meanService: 1, scv: 1 },
      { lambda: 0.4, meanService: 1, scv: 1 },
    ]
    const [high, low] = priorityQueue({ classes, discipline: 'nonpreemptive' }).map(stable)
    const one = stable(mg1({ lambda: 0.7, service: { kind: 'general', mean: 1, scv: 1 } }))
    expect(high!.Wq).toBeLessThan(one.Wq)
    expect(low!.Wq).toBeGreaterThan(one.Wq)
    // Kleinrock's conservation law.
    expect((0.3 * high!.Wq + 0.4 * low!.Wq) / 0.7).toBeCloseTo(one.Wq, 12)
  })

  it('what finds no time left is unstable, and what is before it is not', () => {
    const classes = [0.6, 0.6].map((lambda) => ({ lambda, meanService: 1, scv: 1 }))
    const queues = priorityQueue({ classes, discipline: 'preemptive-resume' })
    expect(queues.map((queue) => queue.stable)).toEqual([true, false])
    expect(queues[1]!.throughput).toBeCloseTo(0.4, 12)
  })

  it('a method for one server refuses more', () => {
    expect(() => ggc({ lambda: 1, meanService: 1, servers: 2, ca2: 1, cs2: 1, method: 'kingman' })).toThrow(
      'servers must be 1 for the method kingman, received 2',
    )
  })
})
