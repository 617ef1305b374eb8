import { fc, test } from '@fast-check/vitest'
import { mmc, type StableQueue } from '@headrace/capacity-math'
import { describe, expect, it } from 'vitest'

function stable(queue: { lambda: number; mu: number; servers: number }): StableQueue {
  const result = mmc(queue)
  if (!result.stable) throw new Error(`unstable: ${JSON.stringify(queue)}`)
  return result
}

const anyStable = fc
  .tuple(
    fc.integer({ min: 1, max: 500 }),
    fc.double({ min: 0.01, max: 100, noNaN: true }),
    fc.double({ min: 0.01, max: 0.999, noNaN: true }),
  )
  .map(([servers, mu, rho]) => ({ servers, mu, lambda: rho * servers * mu }))

describe('M/M/c', () => {
  it('is the worked example of 24 erlangs: 25 servers miss a p99 of 50 ms, 26 meet it', () => {
    const p99 = (servers: number) => stable({ lambda: 1_200, mu: 50, servers }).wait.quantile(0.99)
    expect(p99(25)).toBeCloseTo(0.0871, 4)
    expect(p99(26)).toBeCloseTo(0.0409, 4)
  })

  test.prop([anyStable])("keeps Little's law and the sum of its parts", (queue) => {
    const { L, Lq, W, Wq, wait, response, utilization } = stable(queue)
    const { lambda, mu, servers } = queue
    expect(L / (lambda * W)).toBeCloseTo(1, 12)
    expect(Lq).toBe(lambda * Wq)
    expect((W - Wq) * mu).toBeCloseTo(1, 9)
    expect((L - Lq) / servers / utilization).toBeCloseTo(1, 9)
    expect([wait.mean, response.mean]).toEqual([Wq, W])
  })

  test.prop([
    fc.double({ min: 0.01, max: 100, noNaN: true }),
    fc.double({ min: 0.01, max: 0.999, noNaN: true }),
    fc.double({ min: 0.001, max: 10, noNaN: true }),
  ])('with one server is M/M/1: the response is exponential with rate mu - lambda', (mu, rho, t) => {
    const lambda = rho * mu
    const { L, pWait, response } = stable({ lambda, mu, servers: 1 })
    expect(pWait).toBe(lambda / mu)
    expect(L / (lambda / (mu - lambda))).toBeCloseTo(1, 10)
    expect(response.sf(t)).toBeCloseTo(Math.exp(-(mu - lambda) * t), 12)
    expect(response.variance * (mu - lambda) ** 2).toBeCloseTo(1, 9)
  })

  test.prop([anyStable, fc.double({ min: 0.001, max: 0.9999, noNaN: true })])(
    'quantiles undo distributions',
    (queue, p) => {
      const { wait, response, pWait } = stable(queue)
      expect(response.cdf(response.quantile(p))).toBeCloseTo(p, 11)
      const longest = wait.quantile(p)
      if (longest > 0) expect(wait.cdf(longest)).toBeCloseTo(p, 11)
      else expect(p).toBeLessThanOrEqual(1 - pWait + 1e-15)
      expect(wait.cdf(0)).toBeCloseTo(wait.atomAtZero, 14)
    },
  )

  test.prop([anyStable, fc.double({ min: 1.001, max: 2, noNaN: true })])(
    'more load waits longer, more servers less',
    (queue, factor) => {
      const { Wq, wait } = stable(queue)
      const more = stable({ ...queue, servers: queue.servers + 1 })
      expect(more.Wq).toBeLessThanOrEqual(Wq)
      expect(more.wait.quantile(0.99)).toBeLessThanOrEqual(wait.quantile(0.99))
      const loaded = mmc({ ...queue, lambda: queue.lambda * factor })
      if (loaded.stable) expect(loaded.Wq).toBeGreaterThanOrEqual(Wq)
    },
  )

  it('the mean and the variance are those of the tail, integrated', () => {
    const { response, wait } = stable({ lambda: 45, mu: 10, servers: 6 })
    for (const { mean, variance, sf } of [response, wait]) {
      const step = 1e-4
      let first = 0
      let second = 0
      for (let t = step / 2; t < 4; t += step) {
        first += sf(t) * step
        second += 2 * t * sf(t) * step
      }
      expect(first).toBeCloseTo(mean, 6)
      expect(second - first * first).toBeCloseTo(variance, 6)
    }
  })

  it('is exact where the two rates of the response meet', () => {
    const { response, pWait } = stable({ lambda: 10, mu: 10, servers: 2 })
    expect(response.sf(0.3)).toBeCloseTo(Math.exp(-3) * (1 + pWait * 3), 14)
  })

  it('an idle queue waits for nothing', () => {
    expect(stable({ lambda: 0, mu: 4, servers: 2 })).toMatchObject({
      pWait: 0,
      L: 0,
      Lq: 0,
      W: 0.25,
      Wq: 0,
      utilization: 0,
    })
  })

  it('overload is an answer without averages', () => {
    const queue = mmc({ lambda: 12, mu: 5, servers: 2 })
    expect(queue).toMatchObject({ stable: false, utilization: 1.2, throughput: 10 })
    expect(queue).not.toHaveProperty('Wq')
    expect(mmc({ lambda: 10, mu: 5, servers: 2 }).stable).toBe(false)
  })
})

describe('arguments', () => {
  it.each([
    [{ lambda: -1, mu: 1, servers: 1 }, 'lambda must be from 0 to 1e+100, received -1'],
    [{ lambda: 1, mu: 0, servers: 1 }, 'mu must be from 1e-100 to 1e+100, received 0'],
    [{ lambda: 1, mu: 1, servers: 1.5 }, 'servers must be an integer, received 1.5'],
  ])('%j throws a RangeError', (queue, message) => {
    expect(() => mmc(queue)).toThrow(new RangeError(message))
  })

  it('a time below zero and a probability of one are refused by name', () => {
    const { wait } = stable({ lambda: 1, mu: 2, servers: 1 })
    expect(() => wait.sf(-1)).toThrow(new RangeError('t must be from 0 to 1e+100, received -1'))
    expect(() => wait.quantile(1)).toThrow(new RangeError('p must be above 0 and below 1, received 1'))
  })

  const magnitude = fc.double({ min: -100, max: 100, noNaN: true }).map((exponent) => 10 ** exponent)
  test.prop([magnitude, magnitude, fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), magnitude], {
    numRuns: 2_000,
  })('no NaN and no infinity escapes, whatever the magnitudes', (lambda, mu, servers, t) => {
    const queue = mmc({ lambda, mu, servers })
    expect(Number.isFinite(queue.utilization)).toBe(true)
    if (!queue.stable) return
    const { L, Lq, W, Wq, wait, response } = queue
    const values = [L, Lq, W, Wq, wait.variance, response.variance]
    for (const time of [wait, response]) values.push(time.sf(t), time.cdf(t), time.quantile(0.999))
    for (const value of values) expect(Number.isFinite(value) && value >= 0).toBe(true)
  })
})
