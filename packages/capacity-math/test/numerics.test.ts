import { fc, test } from '@fast-check/vitest'
import {
  minCapacity,
  minServersForBlocking,
  minServersForMeanWait,
  minServersForWait,
  minServersForWaitTail,
} from '@headrace/capacity-math'
import { describe, expect, it } from 'vitest'
import { over, plus, times } from '../src/double-double.ts'
import { lowerGamma, upperGamma } from '../src/gamma.ts'
import { above, below } from '../src/gamma-ratio.ts'
import { geometricMean, geometricSum, geometricVariance, logGeometricSum } from '../src/geometric.ts'
import { normalIsf } from '../src/normal.ts'
import { integralToInfinity } from '../src/quadrature.ts'
import { scaledErfc } from '../src/scaled-erfc.ts'
import { smallestInteger } from '../src/smallest-integer.ts'
import { sumFromMode } from '../src/sum-from-mode.ts'
import { zeroBetween } from '../src/zero.ts'

/** The kernel by quadrature, an independent way: x ∫ exp(∓ …) of DLMF 8.2.1 and 8.2.2 with t = x e^±v. */
function byQuadrature(n: number, x: number): number {
  const sign = x >= n + 1 ? 1 : -1
  const slope = Math.abs(x - n - 1)
  const rest = (v: number) => (Math.abs(v) > 0.5 ? Math.expm1(v) - v : series(v))
  const scale = 1 / (slope + Math.sqrt(x))
  return x * integralToInfinity((v) => Math.exp(-slope * v - x * rest(sign * v)), scale)
}

function series(v: number): number {
  let sum = 0
  for (let j = 15; j >= 3; j--) sum = (v / j) * (1 + sum)
  return (v * v * (1 + sum)) / 2
}

describe('the kernel', () => {
  test.prop([fc.double({ min: -2, max: 12, noNaN: true }), fc.double({ min: -30, max: 30, noNaN: true })], {
    numRuns: 500,
  })('agrees with a quadrature on both sides, whichever of its methods it takes', (exponent, z) => {
    const n = 10 ** exponent
    const x = n + 1 + z * Math.sqrt(n + 1)
    fc.pre(x > 1e-3)
    const value = x >= n + 1 ? below(n, x) : above(n, x)
    expect(Math.abs(value / byQuadrature(n, x) - 1)).toBeLessThan(5e-15)
  })

  it.each([38.999, 39, 39.001])('has no seam where its methods meet, at n = %f', (n) => {
    for (const ratio of [0.55, 0.9, 1, 1.55]) {
      const x = (n + 1) * ratio
      const [just, over_] = [x * (1 - 1e-13), x * (1 + 1e-13)]
      const value = (at: number) => (at >= n + 1 ? below(n, at) : above(n, at))
      if (ratio !== 1) expect(value(just) / value(over_)).toBeCloseTo(1, 11)
    }
  })

  it('gives the gamma functions of DLMF 8.4', () => {
    // P(1/2, x) = erf(sqrt x), Q(1, x) = e^-x; erf(1) to 15 places.
    expect(lowerGamma(0.5, 1)).toBeCloseTo(0.842700792949715, 14)
    expect(upperGamma(0.5, 4)).toBeCloseTo(0.004677734981047, 14)
    expect(upperGamma(1, 30) / Math.exp(-30)).toBeCloseTo(1, 13)
  })
})

describe('special values', () => {
  it('erfcx is that of the tables', () => {
    // Abramowitz & Stegun 7.1 with e^(x²): 0, 0.3, 1, 3, 10.
    for (const [x, value] of [
      [0, 1],
      [0.3, 0.734599334567655],
      [1, 0.427583576155807],
      [3, 0.17900115118139],
      [10, 0.056140992743823],
    ] as const)
      expect(scaledErfc(x)).toBeCloseTo(value, 14)
  })

  it('normal quantiles are those of the tables', () => {
    expect(normalIsf(0.025)).toBeCloseTo(1.959963984540054, 13)
    expect(normalIsf(0.5)).toBeCloseTo(0, 13)
    expect(normalIsf(1e-9)).toBeCloseTo(5.997807015007687, 12)
  })
})

describe('sums and searches', () => {
  test.prop([fc.double({ min: -3, max: 3, noNaN: true }), fc.integer({ min: 1, max: 80 })])(
    'geometric sums are sums',
    (l, m) => {
      let [sum, first, second] = [0, 0, 0]
      for (let j = 0; j < m; j++) {
        sum += Math.exp(j * l)
        first += j * Math.exp(j * l)
        second += j * j * Math.exp(j * l)
      }
      expect(geometricSum(l, m) / sum).toBeCloseTo(1, 11)
      expect(logGeometricSum(l, m)).toBeCloseTo(Math.log(sum), 11)
      expect(geometricMean(l, m)).toBeCloseTo(first / sum, 9)
      expect(geometricVariance(l, m)).toBeCloseTo(second / sum - (first / sum) ** 2, 6)
    },
  )

  test.prop([fc.double({ min: -100, max: 100, noNaN: true }), fc.double({ min: 0.01, max: 1000, noNaN: true })])(
    'finds a zero to the last digits',
    (root, width) => {
      const f = (x: number) => Math.atan(x - root) + (x - root) ** 3
      const found = zeroBetween(f, root - width, root + width * 1.7)
      expect(Math.abs(found - root)).toBeLessThanOrEqual(1e-5 + 1e-12 * Math.abs(root))
      expect(Math.abs(f(found))).toBeLessThan(1e-5)
      expect(() => zeroBetween(f, root + 1, root + 2)).toThrow('no change of sign')
    },
  )

  test.prop([fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 0, max: 1e9 })])(
    'finds the smallest integer from any guess',
    (answer, guess) => {
      let asked = 0
      const found = smallestInteger(
        (n) => {
          asked += 1
          return n >= answer
        },
        0,
        guess,
      )
      expect(found).toBe(answer)
      expect(asked).toBeLessThan(75)
    },
  )

  it('a sum from its mode leaves nothing out that counts', () => {
    const mean = 500
    let log = -mean
    const terms = Array.from({ length: 1200 }, (_, k) => {
      if (k > 0) log += Math.log(mean / k)
      return Math.exp(log)
    })
    expect(sumFromMode((k) => terms[k]!, mean, 0, 1199)).toBeCloseTo(1, 12)
    expect(sumFromMode(() => 1, 0, 5, 3)).toBe(0)
  })
})

describe('ties', () => {
  it('twice the digits are twice the digits', () => {
    const third = over([1, 0], 3)
    const one = plus(plus(third, third), third)
    expect(Math.abs(one[0] - 1 + one[1])).toBeLessThan(1e-31)
    const square = times(over([2, 0], 7), [7, 0])
    expect(square[0] - 2 + square[1]).toBeCloseTo(0, 30)
  })

  it('a share that is met exactly is met, and one that a double holds a little too low is not', () => {
    // C(2, 1/2) = 1/10, and 0.1 is a double above 1/10; C(2, 1) = 1/3 = B(2, 2) … and the double 1/3 is below it.
    expect(minServersForWait({ load: 0.5, pWait: 0.1 })).toBe(2)
    expect(minServersForWaitTail({ lambda: 0.5, mu: 1, t: 0, share: 0.1 })).toBe(2)
    expect(minServersForWait({ load: 1, pWait: 1 / 3 })).toBe(3)
    // B(1, 1) = 1/2 exactly; B(1, 1/4) = 1/5, and 0.2 is a double above 1/5.
    expect(minServersForBlocking({ load: 1, blocking: 0.5 })).toBe(1)
    expect(minServersForBlocking({ load: 0.25, blocking: 0.2 })).toBe(1)
    // Wq of M/M/1 at 1/2 is 1 exactly.
    expect(minServersForMeanWait({ lambda: 0.5, mu: 1, Wq: 1 })).toBe(1)
    // M/M/1/K at load 1 turns away 1 / (K+1).
    expect(minCapacity({ lambda: 1, mu: 1, servers: 1, blocking: 0.1 })).toBe(9)
  })
})
