import { fc, test } from '@fast-check/vitest'
import { littlesLaw, littlesLawInWindow, utilizationLaw } from '@headrace/capacity-math'
import { expect, it } from 'vitest'

const positive = fc.double({ min: 1e-6, max: 1e6, noNaN: true })

test.prop([positive, positive])('any two of the three give the third', (lambda, W) => {
  const { L } = littlesLaw({ lambda, W })
  expect(L).toBe(lambda * W)
  expect(littlesLaw({ L, W }).lambda / lambda).toBeCloseTo(1, 14)
  expect(littlesLaw({ L, lambda }).W / W).toBeCloseTo(1, 14)
})

it('is the shop of the textbooks: 10 customers an hour who stay half an hour are 5 in the shop', () => {
  expect(littlesLaw({ lambda: 10 / 3600, W: 1800 }).L).toBeCloseTo(5, 12)
})

it('an empty box is empty', () => {
  expect(littlesLaw({ L: 0, lambda: 7 })).toEqual({ L: 0, lambda: 7, W: 0 })
})

it.each([
  [{ lambda: 1 }, new TypeError('exactly two of L, lambda and W must be given, received 1')],
  [{ L: 1, lambda: 1, W: 1 }, new TypeError('exactly two of L, lambda and W must be given, received 3')],
  [{ L: 1, lambda: 0 }, new RangeError('lambda must be from 1e-100 to 1e+100, received 0')],
  [{ L: 1, W: -2 }, new RangeError('W must be from 0 to 1e+100, received -2')],
])('%j is refused by name', (known, error) => {
  expect(() => littlesLaw(known as never)).toThrow(error)
})

it('servers are busy for the share of time that their work takes', () => {
  expect(utilizationLaw({ lambda: 1_200, meanService: 0.02, servers: 30 })).toBeCloseTo(0.8, 14)
  expect(utilizationLaw({ lambda: 3, meanService: 0.5 })).toBe(1.5)
  expect(() => utilizationLaw({ lambda: 3, meanService: 0.5, servers: 0 })).toThrow('servers must be from 1')
})

test.prop([
  fc.array(fc.tuple(fc.double({ min: -20, max: 40, noNaN: true }), fc.double({ min: 0, max: 15, noNaN: true })), {
    minLength: 1,
  }),
])(
  'in a window that is not empty at its ends the mean time lies between the bounds, whoever comes when and stays how long',
  (visits) => {
    const duration = 30
    const within = ([at, stay]: readonly [number, number]) =>
      Math.max(0, Math.min(duration, at + stay) - Math.max(0, at))
    const came = visits.filter(([at]) => at >= 0 && at < duration)
    fc.pre(came.length > 0)
    const there = (moment: number) => visits.filter(([at, stay]) => at < moment && at + stay > moment).length
    const { lower, upper } = littlesLawInWindow({
      duration,
      L: visits.reduce((sum, visit) => sum + within(visit), 0) / duration,
      arrivals: came.length,
      inFlightAtStart: there(0),
      inFlightAtEnd: there(duration),
      stayMax: 15,
    })
    const mean = came.reduce((sum, [, stay]) => sum + stay, 0) / came.length
    expect(mean).toBeGreaterThanOrEqual(lower - 1e-9)
    expect(mean).toBeLessThanOrEqual(upper + 1e-9)
  },
)

it('a window that begins and ends empty needs no bounds', () => {
  const window = { duration: 10, L: 2, arrivals: 4, inFlightAtStart: 0, inFlightAtEnd: 0, stayMax: 60 }
  expect(littlesLawInWindow(window)).toEqual({ lower: 5, upper: 5 })
  expect(() => littlesLawInWindow({ ...window, arrivals: 0 })).toThrow('arrivals must be from 1')
})
