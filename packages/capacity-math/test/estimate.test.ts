import { mmc } from '@headrace/capacity-math'
import {
  dispersionTest,
  expectedAges,
  flowMonitor,
  poissonRate,
  poissonRateAnytime,
  trafficEstimator,
} from '@headrace/capacity-math/estimate'
import {
  erlangTime,
  exponentialTime,
  hyperexponentialTime,
  poissonCount,
  seededUniform,
} from '@headrace/capacity-math/simulate'
import { describe, expect, it, vi } from 'vitest'

vi.setConfig({ testTimeout: 60_000 })

describe('intervals of a rate', () => {
  it("hold Garwood's published limits", () => {
    // F. Garwood 1936, table; also in every table of Poisson confidence limits: 95 % for counts 0, 1 and 10.
    const limits = [0, 1, 10].map((count) => poissonRate({ count, exposure: 1, confidence: 0.95 }))
    expect(limits.map(({ upper }) => Number(upper.toFixed(3)))).toEqual([3.689, 5.572, 18.39])
    expect(limits.map(({ lower }) => Number(lower.toFixed(3)))).toEqual([0, 0.025, 4.795])
  })

  it('narrow with the exposure, and contain the observed rate', () => {
    const narrow = poissonRate({ count: 1000, exposure: 100, confidence: 0.95 })
    const wide = poissonRate({ count: 10, exposure: 1, confidence: 0.95 })
    expect(narrow.lower).toBeGreaterThan(wide.lower)
    expect(narrow.upper).toBeLessThan(wide.upper)
    expect(narrow.lower).toBeLessThan(10)
    expect(narrow.upper).toBeGreaterThan(10)
  })

  it('looked at after every single event, the anytime interval misses the rate no oftener than it says; the exact one does', () => {
    const uniform = seededUniform(20_261_124)
    let [anytime, exact] = [0, 0]
    const runs = 300
    for (let run = 0; run < runs; run++) {
      let [now, missedAnytime, missedExact] = [0, false, false]
      for (let count = 1; count <= 400; count++) {
        now += exponentialTime(1 / 5)(uniform)
        const given = { count, exposure: now, confidence: 0.9 }
        const always = poissonRateAnytime({ ...given, expected: 3 })
        const once = poissonRate(given)
        missedAnytime ||= always.lower > 5 || always.upper < 5
        missedExact ||= once.lower > 5 || once.upper < 5
      }
      anytime += Number(missedAnytime)
      exact += Number(missedExact)
    }
    expect(anytime / runs).toBeLessThan(0.1)
    expect(exact / runs).toBeGreaterThan(0.2)
  })

  it('a count of 0 leaves the rate a bound from above only', () => {
    expect(poissonRateAnytime({ count: 0, exposure: 10, confidence: 0.95, expected: 1 })).toMatchObject({ lower: 0 })
    expect(() => poissonRate({ count: 1, exposure: 0, confidence: 0.95 })).toThrow('exposure must be')
  })
})

describe('the test of dispersion', () => {
  const uniform = seededUniform(20_261_124)
  it('lets Poisson counts pass and catches counts in clumps', () => {
    const poisson = Array.from({ length: 200 }, () => poissonCount(12)(uniform))
    const clumps = Array.from({ length: 200 }, () => 4 * poissonCount(3)(uniform))
    expect(dispersionTest(poisson).pValue).toBeGreaterThan(0.01)
    expect(dispersionTest(poisson).index).toBeCloseTo(1, 0)
    expect(dispersionTest(clumps).pValue).toBeLessThan(1e-9)
    expect(dispersionTest(clumps).index).toBeGreaterThan(3)
  })

  it('refuses what says nothing', () => {
    expect(() => dispersionTest([3])).toThrow(new RangeError('counts must have 2 entries or more, received 1'))
    expect(() => dispersionTest([0, 0])).toThrow(new RangeError('counts must not all be 0'))
  })
})

describe('the monitor', () => {
  it('counts ages without knowing who is in flight', () => {
    const monitor = flowMonitor(100)
    monitor.arrive(101)
    monitor.arrive(103)
    monitor.depart(104, 3)
    expect(monitor.report(110)).toEqual({
      elapsed: 10,
      arrived: 2,
      departed: 1,
      inFlight: 1,
      L: 1,
      lambda: 0.2,
      throughput: 0.1,
      W: 3,
      meanTimeAtLeast: 5,
      agesInFlight: 7,
      oldestAtLeast: 7 - 2 ** -49 * 13,
      faults: 0,
      clockSteps: 0,
    })
  })

  it('finds the one message that is lost among 100,000, and accuses nobody before', () => {
    const monitor = flowMonitor(0)
    const uniform = seededUniform(20_261_124)
    const leaving: { at: number; since: number }[] = []
    const ageMax = 2
    let now = 0
    let lostAt = 0
    let found = 0
    for (let i = 0; i < 100_000; i++) {
      now += exponentialTime(1 / 800)(uniform)
      while (leaving.length > 0 && leaving[0]!.at <= now) {
        const { at, since } = leaving.shift()!
        monitor.depart(at, at - since)
      }
      monitor.arrive(now)
      // A tenth of a second each, in order, and no more: overdue is only what is lost.
      if (i === 40_000) lostAt = now
      else leaving.push({ at: now + 0.1, since: now })
      const overdue = monitor.overdueAtLeast(now, ageMax)
      if (overdue > 0 && lostAt === 0) throw new Error(`accused somebody at ${now}`)
      expect(overdue).toBeLessThanOrEqual(1)
      if (overdue === 1 && found === 0) found = now
    }
    // About 80 are in flight: the one is certain when its age alone outweighs all that they might have.
    expect(found - lostAt).toBeLessThan(81 * ageMax)
    expect(monitor.report(now).faults).toBe(0)
  })

  it('sees a departure too many, a time that cannot be, and a clock that goes back', () => {
    const monitor = flowMonitor(0)
    monitor.depart(1, 0.5)
    monitor.arrive(2)
    monitor.depart(3, 99)
    monitor.arrive(2.5)
    monitor.arrive(4)
    monitor.depart(5, Number.NaN)
    expect(monitor.report(5)).toMatchObject({ faults: 3, clockSteps: 1, inFlight: 1 })
    expect(monitor.overdueAtLeast(5, 1)).toBe(0)
    monitor.arrive(Number.POSITIVE_INFINITY)
    expect(monitor.report(Number.NaN)).toMatchObject({ elapsed: 5, clockSteps: 3, inFlight: 2 })
  })

  it('expects the ages that λ E[T²] / 2 says', () => {
    const queue = mmc({ lambda: 8, mu: 1, servers: 10 })
    if (!queue.stable) throw new Error('unstable')
    const monitor = flowMonitor(0)
    const uniform = seededUniform(20_261_124)
    const free = new Array<number>(10).fill(0)
    const events: { at: number; sojourn: number }[] = []
    let [now, ages, looks] = [0, 0, 0]
    for (let i = 0; i < 60_000; i++) {
      now += exponentialTime(1 / 8)(uniform)
      events.sort((a, b) => a.at - b.at)
      while (events.length > 0 && events[0]!.at <= now) {
        const { at, sojourn } = events.shift()!
        monitor.depart(at, sojourn)
      }
      monitor.arrive(now)
      const server = free.indexOf(Math.min(...free))
      free[server] = Math.max(now, free[server]!) + exponentialTime(1)(uniform)
      events.push({ at: free[server]!, sojourn: free[server]! - now })
      ages += monitor.report(now).agesInFlight
      looks += 1
    }
    expect(ages / looks / expectedAges({ lambda: 8, response: queue.response })).toBeCloseTo(1, 1)
  })
})

describe('the estimator of traffic', () => {
  const watch = (
    gap: (uniform: () => number) => number,
    service: (uniform: () => number) => number,
    arrivals = 20_000,
  ) => {
    const uniform = seededUniform(20_261_124)
    const estimator = trafficEstimator({ startedAt: 0, window: 0.5 })
    let now = 0
    for (let i = 0; i < arrivals; i++) {
      now += gap(uniform)
      estimator.arrival(now)
      estimator.service(service(uniform))
    }
    return estimator.report(now)
  }

  it('holds the truth in its intervals and finds Poisson arrivals to be Poisson', () => {
    const report = watch(exponentialTime(0.1), erlangTime(4, 0.02))
    for (const [estimate, truth] of [
      [report.lambda, 10],
      [report.meanService, 0.02],
      [report.ca2, 1],
      [report.cs2, 0.25],
    ] as const) {
      expect(estimate.lower).toBeLessThan(truth)
      expect(estimate.upper).toBeGreaterThan(truth)
      expect(estimate.value / truth).toBeCloseTo(1, 1)
    }
    expect(report.arrivals).toBe('poisson')
    expect(report.planningCa2).toBe(1)
    expect(Math.abs(report.lag1)).toBeLessThan(0.05)
  })

  it('switches the model for bursts and for a clock', () => {
    const bursts = watch(hyperexponentialTime(0.9, 0.05, 0.55), exponentialTime(0.02))
    expect(bursts.arrivals).toBe('bursty')
    expect(bursts.planningCa2).toBeGreaterThan(2)
    const clock = watch(erlangTime(8, 0.1), exponentialTime(0.02))
    expect(clock.arrivals).toBe('regular')
    expect(clock.planningCa2).toBeCloseTo(1 / 8, 1)
  })

  it('says so when there is too little to tell, and counts the windows in which nothing came', () => {
    expect(watch(exponentialTime(0.1), exponentialTime(1), 50).arrivals).toBe('insufficient data')
    const estimator = trafficEstimator({ startedAt: 0, window: 1 })
    estimator.arrival(0.5)
    estimator.arrival(99.5)
    const [narrow] = estimator.report(100).dispersion
    expect(narrow).toMatchObject({ window: 1, windows: 100 })
    expect(narrow!.index).toBeCloseTo(0.99, 1)
    expect(() => estimator.arrival(3)).toThrow('at must be from 99.5')
  })
})

it('a monitor that has seen nothing reports zeros', () => {
  const { elapsed, ...rest } = flowMonitor(5).report(7)
  expect(elapsed).toBe(2)
  for (const value of Object.values(rest)) expect(value).toBe(0)
})
