import { fc, test } from '@fast-check/vitest'
import {
  poissonCdf,
  poissonIsf,
  poissonLogCdf,
  poissonLogPmf,
  poissonLogSf,
  poissonPmf,
  poissonQuantile,
  poissonSf,
} from '@headrace/capacity-math'
import { describe, expect, it } from 'vitest'

const mean = fc.oneof(fc.double({ min: 1e-6, max: 50, noNaN: true }), fc.double({ min: 50, max: 1e9, noNaN: true }))
const near = (lambda: number, z: number) => Math.max(0, Math.round(lambda + z * Math.sqrt(lambda)))
const score = fc.double({ min: -6, max: 6, noNaN: true })

describe('published values', () => {
  it.each([
    // L. von Bortkiewicz, "Das Gesetz der kleinen Zahlen", 1898: horse kicks, mean 0.61, probabilities to four places.
    [0, 0.61, 0.5434],
    [1, 0.61, 0.3314],
    [2, 0.61, 0.1011],
    [3, 0.61, 0.0206],
    [4, 0.61, 0.0031],
  ])('P(X = %i) at mean %f is %f (Bortkiewicz 1898)', (k, lambda, expected) => {
    expect(poissonPmf(k, lambda)).toBeCloseTo(expected, 4)
  })

  it.each([
    // Where a series in wide use is off by 2.6 %; the true values are 0.6220 and, with Ramanujan, 1/2 + 2 / (3 sqrt(2πn)).
    [4019, 4000, 0.622],
    [1001, 1001, 0.5 + 2 / (3 * Math.sqrt(2 * Math.PI * 1001))],
  ])('P(X ≤ %i) at mean %i is %f', (k, lambda, expected) => {
    expect(Math.abs(poissonCdf(k, lambda) - expected)).toBeLessThan(6e-5)
  })
})

describe('laws', () => {
  test.prop([mean, score])('cdf and tail add up to one', (lambda, z) => {
    const k = near(lambda, z)
    expect(Math.abs(poissonCdf(k, lambda) + poissonSf(k, lambda) - 1)).toBeLessThanOrEqual(Number.EPSILON)
  })

  test.prop([mean, score])('the cdf grows by the probability of each value', (lambda, z) => {
    const k = near(lambda, z) + 1
    expect(Math.abs(poissonCdf(k - 1, lambda) + poissonPmf(k, lambda) - poissonCdf(k, lambda))).toBeLessThan(4e-15)
  })

  test.prop([mean, score])('logarithms are those of the values', (lambda, z) => {
    const k = near(lambda, z)
    expect(Math.exp(poissonLogPmf(k, lambda))).toBeCloseTo(poissonPmf(k, lambda), 13)
    expect(Math.exp(poissonLogCdf(k, lambda))).toBeCloseTo(poissonCdf(k, lambda), 13)
    expect(Math.exp(poissonLogSf(k, lambda))).toBeCloseTo(poissonSf(k, lambda), 13)
  })

  test.prop([mean, fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true })])(
    'the quantile is the smallest value that reaches p',
    (lambda, p) => {
      const k = poissonQuantile(p, lambda)
      expect(poissonSf(k, lambda)).toBeLessThanOrEqual((1 - p) * (1 + 1e-12))
      if (k > 0) expect(poissonCdf(k - 1, lambda)).toBeLessThan(p * (1 + 1e-12))
    },
  )

  it('sums to one over all values', () => {
    let sum = 0
    for (let k = 0; k <= 300; k++) sum += poissonPmf(k, 123.4)
    expect(sum).toBeCloseTo(1, 13)
  })

  it('the tail keeps its digits where the cdf is one', () => {
    // P(X > 20) at a mean of 1e-6 is the first term, 1e-126 / 21!, less one part in a million.
    expect(poissonSf(20, 1e-6) / (1e-126 / 51_090_942_171_709_440_000)).toBeCloseTo(1 - (1e-6 * 21) / 22, 11)
    expect(poissonIsf(1e-300, 100)).toBeGreaterThan(poissonIsf(1e-299, 100) - 1)
  })

  it('a mean of zero is never exceeded', () => {
    expect([poissonPmf(0, 0), poissonPmf(1, 0), poissonCdf(0, 0), poissonSf(0, 0)]).toEqual([1, 0, 1, 0])
    expect([poissonQuantile(0.999, 0), poissonIsf(1e-9, 0)]).toEqual([0, 0])
  })
})

describe('arguments', () => {
  it.each([
    ['k must be an integer, received 1.5', () => poissonPmf(1.5, 2)],
    ['k must be from 0 to 9007199254740991, received -1', () => poissonCdf(-1, 2)],
    ['lambda must be from 0 to 9007199254740991, received NaN', () => poissonSf(1, Number.NaN)],
    ['lambda must be from 1e-300 to 9007199254740991, received 0', () => poissonLogSf(1, 0)],
    ['p must be above 0 and below 1, received 1', () => poissonQuantile(1, 2)],
    ['q must be above 0 and below 1, received 0', () => poissonIsf(0, 2)],
    ['lambda must be from 0 to 1000000000000000, received 2000000000000000', () => poissonQuantile(0.5, 2e15)],
  ])('a RangeError says: %s', (message, run) => {
    expect(run).toThrow(new RangeError(message))
  })

  it('anything but a number is a TypeError', () => {
    expect(() => poissonPmf(1, '2' as never)).toThrow(new TypeError('lambda must be a number, received string'))
  })

  test.prop([
    fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true }),
  ])('every value is a probability', (k, lambda) => {
    for (const value of [poissonPmf(k, lambda), poissonCdf(k, lambda), poissonSf(k, lambda)]) {
      expect(value).toBeGreaterThanOrEqual(0)
      expect(value).toBeLessThanOrEqual(1)
    }
  })
})
