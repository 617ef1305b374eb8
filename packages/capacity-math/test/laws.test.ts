import { fc, test } from '@fast-check/vitest'
import {
  erlangA,
  erlangB,
  erlangC,
  mmc,
  mmck,
  poissonCdf,
  poissonIsf,
  poissonQuantile,
  type StableQueue,
} from '@headrace/capacity-math'
import {
  batchService,
  engset,
  finiteSource,
  ggc,
  gm1,
  md1,
  mdc,
  mg1,
  mminf,
  periodicFlush,
  priorityQueue,
} from '@headrace/capacity-math/queues'
import { describe, expect, it, vi } from 'vitest'

vi.setConfig({ testTimeout: 60_000 })

function stable<Queue extends { readonly stable: boolean }>(queue: Queue): Extract<Queue, { readonly stable: true }> {
  if (!queue.stable) throw new Error('unstable')
  return queue as Extract<Queue, { readonly stable: true }>
}

const load = fc.double({ min: 0.01, max: 0.98, noNaN: true })
const rate = fc.double({ min: 0.01, max: 100, noNaN: true })
const few = fc.integer({ min: 1, max: 12 })
const time = fc.double({ min: 0, max: 20, noNaN: true })
const share = fc.double({ min: 0.001, max: 0.9999, noNaN: true })

/** Every model, at a load per server and a service rate. */
const models: Record<string, (rho: number, mu: number, c: number) => StableQueue> = {
  mmc: (rho, mu, c) => stable(mmc({ lambda: rho * c * mu, mu, servers: c })),
  mmck: (rho, mu, c) => mmck({ lambda: 2 * rho * c * mu, mu, servers: c, capacity: 2 * c + 1 }),
  mminf: (rho, mu, c) => mminf({ lambda: rho * c * mu, mu }),
  erlangA: (rho, mu, c) => erlangA({ lambda: 2 * rho * c * mu, mu, theta: mu / 3, servers: c }),
  md1: (rho, mu) => stable(md1({ lambda: rho * mu, serviceTime: 1 / mu })),
  mdc: (rho, mu, c) => stable(mdc({ lambda: rho * c * mu, serviceTime: 1 / mu, servers: c })),
  'mg1 erlang': (rho, mu, c) => stable(mg1({ lambda: rho * mu, service: { kind: 'erlang', mean: 1 / mu, stages: c } })),
  'mg1 hyperexponential': (rho, mu) =>
    stable(mg1({ lambda: rho * mu, service: { kind: 'hyperexponential', p: 0.8, mean1: 0.5 / mu, mean2: 3 / mu } })),
  'mg1 general': (rho, mu, c) =>
    stable(mg1({ lambda: rho * mu, service: { kind: 'general', mean: 1 / mu, scv: c / 3 } })),
  gm1: (rho, mu, c) => stable(gm1({ lambda: rho * mu, mu, arrivals: { kind: 'erlang', stages: c } })),
  'gm1 bursts': (rho, mu, c) => stable(gm1({ lambda: rho * mu, mu, arrivals: { kind: 'hyperexponential', scv: c } })),
  ggc: (rho, mu, c) => stable(ggc({ lambda: rho * c * mu, meanService: 1 / mu, servers: c, ca2: 2.5, cs2: 0.7 })),
  batchService: (rho, mu, c) => stable(batchService({ lambda: rho * c * mu, mu, maxBatch: c })),
  periodicFlush: (rho, mu, c) => stable(periodicFlush({ lambda: rho * c * mu, interval: 1 / mu, maxBatch: c })),
  engset: (rho, mu, c) => engset({ lambda: rho * mu, mu, servers: c, sources: 2 * c + 1 }),
  finiteSource: (rho, mu, c) =>
    finiteSource({ clients: 3 * c, thinkTime: 1 / (rho * mu), serviceTime: 1 / mu, servers: c }),
  priority: (rho, mu, c) =>
    stable(
      priorityQueue({
        classes: [
          { lambda: rho * mu * 0.3, meanService: 1 / mu, scv: 1 },
          { lambda: rho * mu * 0.7, meanService: 1 / mu, scv: c / 4 },
        ],
        discipline: 'nonpreemptive',
      })[1]!,
    ),
}

describe.each(Object.entries(models))('%s', (name, model) => {
  test.prop([load, rate, few], { numRuns: 40 })(
    "keeps Little's law between its means, and its distributions their means",
    (rho, mu, c) => {
      const queue = model(rho, mu, c)
      const entering =
        name === 'engset' || name === 'finiteSource' ? queue.throughput : queue.throughput / (1 - queue.pAbandon)
      expect(queue.L / (entering * queue.W)).toBeCloseTo(1, 11)
      expect(Math.abs(queue.Lq - entering * queue.Wq)).toBeLessThanOrEqual(1e-11 * queue.L)
      expect(Math.abs(queue.wait.mean - queue.Wq)).toBeLessThanOrEqual(1e-12 * queue.Wq)
      expect(queue.response.mean / queue.W).toBeCloseTo(1, 11)
      expect(queue.population.mean / queue.L).toBeCloseTo(1, 9)
      expect(queue.wait.atomAtZero).toBeCloseTo(1 - queue.pWait, 11)
    },
  )

  test.prop([load, rate, few, time, time], { numRuns: 40 })(
    'has tails that fall from 1 to 0',
    (rho, mu, c, t, longer) => {
      const queue = model(rho, mu, c)
      for (const { sf, cdf } of [queue.wait, queue.response]) {
        expect(sf(t / mu)).toBeGreaterThanOrEqual(sf((t + longer) / mu) * (1 - 1e-12))
        expect(sf(t / mu) + cdf(t / mu)).toBeCloseTo(1, 12)
        expect(sf(1e9 / mu)).toBeLessThan(1e-9)
      }
      if (queue.response.kind === 'exact')
        expect(queue.response.sf(t / mu)).toBeGreaterThanOrEqual(queue.wait.sf(t / mu) * (1 - 1e-9) - 1e-15)
    },
  )

  test.prop([load, rate, few, share], { numRuns: 40 })('has quantiles that undo them', (rho, mu, c, p) => {
    const queue = model(rho, mu, c)
    for (const [key, { quantile, isf, sf }] of Object.entries({ wait: queue.wait, response: queue.response })) {
      const t = quantile(p)
      // Where a distribution jumps, its quantile is the place of the jump.
      expect(sf(t * (1 + 1e-12)), key).toBeLessThanOrEqual((1 - p) * (1 + 1e-8))
      if (t > 0) expect(sf(t * (1 - 1e-9)), key).toBeGreaterThanOrEqual((1 - p) * (1 - 1e-6))
      expect(isf(1 - p)).toBe(t)
    }
    const n = queue.population.quantile(p)
    expect(queue.population.sf(n)).toBeLessThanOrEqual(1 - p)
    if (n > 0) expect(queue.population.sf(n - 1)).toBeGreaterThan(1 - p)
  })

  it.each([
    [0.7, 3, 1],
    [0.5, 0.2, 4],
  ])('has states that add up, and integrates to its moments, at load %f, rate %f and %i servers', (rho, mu, c) => {
    const queue = model(rho, mu, c)
    let [sum, mean] = [0, 0]
    for (let n = 0; n < 400; n++) {
      sum += queue.population.pn(n)
      mean += queue.population.sf(n)
      expect(queue.population.pn(n)).toBeGreaterThanOrEqual(0)
    }
    expect(sum).toBeCloseTo(1, 8)
    if (queue.population.kind === 'exact') expect(mean / queue.L).toBeCloseTo(1, 6)
    for (const { kind, mean: first, variance, sf } of [queue.wait, queue.response]) {
      if (kind !== 'exact' || first === 0) continue
      const width = first + 16 * Math.sqrt(variance)
      const steps = 3000
      let [one, two] = [0, 0]
      for (let i = 0.5; i < steps; i++) {
        const value = sf((i * width) / steps)
        one += value
        two += (2 * i * value) / steps
      }
      expect((one * width) / steps / first).toBeCloseTo(1, 2)
      expect(((two * width * width) / steps - first * first) / variance).toBeCloseTo(1, 1)
    }
  })
})

describe('limits', () => {
  test.prop([load, few, time])('M/M/c/K with much room is M/M/c, and without any is Erlang B', (rho, c, t) => {
    const queue = { lambda: rho * c, mu: 1, servers: c }
    const roomy = mmck({ ...queue, capacity: c + 5000 })
    const unlimited = stable(mmc(queue))
    expect(roomy.Wq).toBeCloseTo(unlimited.Wq, 9)
    expect(roomy.wait.sf(t)).toBeCloseTo(unlimited.wait.sf(t), 11)
    expect(roomy.response.sf(t)).toBeCloseTo(unlimited.response.sf(t), 11)
    expect(roomy.population.pn(c)).toBeCloseTo(unlimited.population.pn(c), 11)
    expect(mmck({ ...queue, capacity: c }).pBlock / erlangB({ servers: c, load: rho * c })).toBeCloseTo(1, 11)
  })

  test.prop([fc.double({ min: 0.05, max: 0.9, noNaN: true }), few])(
    'Erlang A with endless patience is Erlang C',
    (rho, c) => {
      const queue = erlangA({ lambda: rho * c, mu: 1, theta: 1e-11, servers: c })
      expect(queue.pWait / erlangC({ servers: c, load: rho * c })).toBeCloseTo(1, 7)
      expect(queue.Wq / stable(mmc({ lambda: rho * c, mu: 1, servers: c })).Wq).toBeCloseTo(1, 7)
    },
  )

  it('a finite source of very many who think very long is M/M/c', () => {
    const clients = 50_000
    const finite = finiteSource({ clients, thinkTime: clients / 1.5, serviceTime: 1, servers: 2 })
    const open = stable(mmc({ lambda: finite.throughput, mu: 1, servers: 2 }))
    expect(finite.Wq / open.Wq).toBeCloseTo(1, 3)
    expect(finite.response.sf(2) / open.response.sf(2)).toBeCloseTo(1, 3)
  })

  test.prop([load, time])('the models meet where they are the same', (rho, t) => {
    const markov = stable(mmc({ lambda: rho, mu: 1, servers: 1 }))
    const same = [
      stable(mg1({ lambda: rho, service: { kind: 'erlang', mean: 1, stages: 1 } })),
      stable(mg1({ lambda: rho, service: { kind: 'hyperexponential', p: 0.4, mean1: 1, mean2: 1 } })),
      stable(gm1({ lambda: rho, mu: 1, arrivals: { kind: 'erlang', stages: 1 } })),
      stable(gm1({ lambda: rho, mu: 1, arrivals: { kind: 'hyperexponential', scv: 1 } })),
      stable(batchService({ lambda: rho, mu: 1, maxBatch: 1 })),
    ]
    for (const queue of same) {
      expect(queue.Wq / markov.Wq).toBeCloseTo(1, 9)
      expect(queue.wait.sf(t)).toBeCloseTo(markov.wait.sf(t), 10)
      expect(queue.response.sf(t)).toBeCloseTo(markov.response.sf(t), 10)
      expect(queue.population.pn(3)).toBeCloseTo(markov.population.pn(3), 10)
    }
    const [one, many] = [
      stable(md1({ lambda: rho, serviceTime: 1 })),
      stable(mdc({ lambda: rho, serviceTime: 1, servers: 1 })),
    ]
    expect(many.wait.sf(t) / one.wait.sf(t)).toBeCloseTo(1, 9)
    expect(many.population.sf(4) / one.population.sf(4)).toBeCloseTo(1, 9)
    expect(many.wait.variance / one.wait.variance).toBeCloseTo(1, 9)
  })

  test.prop([few, load])('approximations are those of Poisson and exponential where that is given', (c, rho) => {
    const exact = stable(mmc({ lambda: rho * c, mu: 1, servers: c }))
    for (const method of ['whitt', 'allenCunneen'] as const)
      expect(
        stable(ggc({ lambda: rho * c, meanService: 1, servers: c, ca2: 1, cs2: 1, method })).Wq / exact.Wq,
      ).toBeCloseTo(1, 12)
  })

  test.prop([load, fc.double({ min: 0, max: 8, noNaN: true })])(
    "Kingman's bound is above M/G/1 and G/M/1",
    (rho, scv) => {
      const bound = (ca2: number, cs2: number) =>
        stable(ggc({ lambda: rho, meanService: 1, servers: 1, ca2, cs2, method: 'kingman' }))
      expect(bound(1, scv).kind).toBe('upper-bound')
      expect(bound(1, scv).Wq).toBeGreaterThanOrEqual(
        stable(mg1({ lambda: rho, service: { kind: 'general', mean: 1, scv } })).Wq * (1 - 1e-12),
      )
      expect(bound(0, 1).Wq).toBeGreaterThanOrEqual(
        stable(gm1({ lambda: rho, mu: 1, arrivals: { kind: 'deterministic' } })).Wq * (1 - 1e-12),
      )
    },
  )
})

describe('Erlang between the integers', () => {
  test.prop([fc.double({ min: 0.01, max: 900, noNaN: true }), fc.double({ min: 0.01, max: 900, noNaN: true })])(
    'the recursion holds to a few last digits, on both sides of every seam of the method',
    (c, a) => {
      const [here, next] = [erlangB({ servers: c, load: a }), erlangB({ servers: c + 1, load: a })]
      fc.pre(here > 1e-200)
      // An exponent of that size is known to its own last digit, and no better.
      expect(Math.abs(next * (1 + (c + 1) / (a * here)) - 1)).toBeLessThan(4e-15 - 1e-15 * Math.log(here))
    },
  )

  test.prop([fc.integer({ min: 0, max: 2000 }), fc.double({ min: 0.1, max: 2000, noNaN: true })])(
    'the quantile of the cdf is the value',
    (k, lambda) => {
      const p = poissonCdf(k, lambda)
      fc.pre(p > 1e-6 && p < 0.5)
      expect(poissonQuantile(p * (1 - 1e-9), lambda)).toBe(k)
      expect(poissonIsf(1 - p + 1e-9, lambda)).toBeLessThanOrEqual(k)
    },
  )
})
