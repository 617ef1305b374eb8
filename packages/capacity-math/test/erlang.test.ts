import { fc, test } from '@fast-check/vitest'
import {
  erlangB,
  erlangC,
  halfinWhitt,
  halfinWhittBeta,
  logErlangB,
  logErlangC,
  minServersForBlocking,
  minServersForWait,
} from '@headrace/capacity-math'
import { describe, expect, it } from 'vitest'

/** The textbook recursion, an independent way to the same number: B(c) = a B(c-1) / (c + a B(c-1)), B(0) = 1. */
function recursionB(servers: number, load: number): number {
  let blocking = 1
  for (let c = 1; c <= servers; c++) blocking = (load * blocking) / (c + load * blocking)
  return blocking
}

const load = fc.double({ min: 1e-3, max: 2_000, noNaN: true })
const servers = fc.integer({ min: 1, max: 2_000 })

describe('published values', () => {
  it.each([
    // Erlang B tables of telephone engineering: the load that 1 % blocking allows, to the places printed.
    [1, 0.0101],
    [2, 0.153],
    [5, 1.361],
    [10, 4.461],
    [20, 12.03],
    [30, 20.337],
  ])('%i lines carry %f erlangs at 1 %% blocking (Erlang B table)', (lines, erlangs) => {
    expect(erlangB({ servers: lines, load: erlangs })).toBeCloseTo(0.01, 3)
  })

  it.each([
    // Erlang C by hand: a² / (2 + a) with two servers, a³ / (6 + 4a + a²) with three (Gross & Harris 2.3).
    [2, 1, 1 / 3],
    [2, 1.5, 9 / 14],
    [3, 1.5, 9 / 38],
    [3, 2, 4 / 9],
  ])('with %i servers and %f erlangs the share that waits is %f', (c, a, expected) => {
    expect(erlangC({ servers: c, load: a })).toBeCloseTo(expected, 14)
  })
})

describe('laws', () => {
  test.prop([servers, load])('agrees with the recursion over the servers', (c, a) => {
    const expected = recursionB(c, a)
    fc.pre(expected > 1e-290)
    expect(Math.abs(erlangB({ servers: c, load: a }) / expected - 1)).toBeLessThan(1e-12)
  })

  test.prop([fc.double({ min: 0, max: 500, noNaN: true }), fc.double({ min: 1, max: 500, noNaN: true })])(
    'the recursion holds between whole servers too',
    (c, a) => {
      const [here, next] = [erlangB({ servers: c, load: a }), erlangB({ servers: c + 1, load: a })]
      fc.pre(next > 1e-290)
      expect(Math.abs(next * (1 + (c + 1) / (a * here)) - 1)).toBeLessThan(1e-12)
    },
  )

  test.prop([servers, load])('blocking falls with servers and grows with load', (c, a) => {
    const here = erlangB({ servers: c, load: a })
    expect(erlangB({ servers: c + 1, load: a })).toBeLessThanOrEqual(here)
    expect(erlangB({ servers: c, load: a * 1.01 })).toBeGreaterThanOrEqual(here)
  })

  test.prop([servers, fc.double({ min: 1e-6, max: 0.999999, noNaN: true })])(
    'waiting is likelier than blocking and lies in [0, 1]',
    (c, rho) => {
      const queue = { servers: c, load: rho * c }
      expect(erlangC(queue)).toBeGreaterThanOrEqual(erlangB(queue))
      expect(erlangC(queue)).toBeLessThanOrEqual(1)
    },
  )

  test.prop([servers, fc.double({ min: 0.3, max: 0.9999, noNaN: true })])(
    'logarithms are those of the values',
    (c, rho) => {
      const queue = { servers: c, load: rho * c }
      expect(Math.exp(logErlangB(queue))).toBeCloseTo(erlangB(queue), 13)
      expect(Math.exp(logErlangC(queue))).toBeCloseTo(erlangC(queue), 13)
    },
  )

  test.prop([fc.double({ min: 0, max: 0.999999, noNaN: true })])(
    'with one server the share that waits is the load',
    (a) => {
      expect(erlangC({ servers: 1, load: a })).toBe(a)
    },
  )

  test.prop([fc.double({ min: 1e-3, max: 1e8, noNaN: true }), fc.double({ min: 1e-6, max: 0.5, noNaN: true })])(
    'the smallest number of servers does, and one less does not',
    (a, share) => {
      const lines = minServersForBlocking({ load: a, blocking: share })
      expect(erlangB({ servers: lines, load: a })).toBeLessThanOrEqual(share)
      expect(erlangB({ servers: lines - 1, load: a })).toBeGreaterThan(share)
      const workers = minServersForWait({ load: a, pWait: share })
      expect(erlangC({ servers: workers, load: a })).toBeLessThanOrEqual(share)
      if (workers - 1 > a) expect(erlangC({ servers: workers - 1, load: a })).toBeGreaterThan(share)
    },
  )

  it('a hundred million erlangs are staffed exactly', () => {
    expect(minServersForWait({ load: 1e8, pWait: 0.01 })).toBe(100_023_751)
  })

  it('comes to what Halfin and Whitt say of very many servers', () => {
    const load = 1e12
    for (const beta of [0.2, 1, 2.5]) {
      const servers = load + beta * Math.sqrt(load)
      expect(erlangC({ servers, load }) / halfinWhitt(beta)).toBeCloseTo(1, 5)
      expect(halfinWhittBeta(halfinWhitt(beta))).toBeCloseTo(beta, 12)
    }
  })

  it('the limits are exact: no load, no servers', () => {
    expect(erlangB({ servers: 0, load: 3 })).toBeCloseTo(1, 14)
    expect([
      erlangB({ servers: 0, load: 0 }),
      erlangB({ servers: 4, load: 0 }),
      erlangC({ servers: 4, load: 0 }),
    ]).toEqual([1, 0, 0])
    expect(minServersForBlocking({ load: 0, blocking: 0.1 })).toBe(1)
  })
})

describe('arguments', () => {
  it.each([
    ['load must be below servers = 4 for a stable queue, received 4', () => erlangC({ servers: 4, load: 4 })],
    ['servers must be from 0 to 9007199254740991, received -1', () => erlangB({ servers: -1, load: 4 })],
    ['load must be from 1e-300 to 9007199254740991, received 0', () => logErlangB({ servers: 1, load: 0 })],
    ['pWait must be above 0 and below 1, received 0', () => minServersForWait({ load: 4, pWait: 0 })],
    [
      'load must be from 0 to 1000000000000000, received Infinity',
      () => minServersForBlocking({ load: Number.POSITIVE_INFINITY, blocking: 0.1 }),
    ],
  ])('a RangeError says: %s', (message, run) => {
    expect(run).toThrow(new RangeError(message))
  })
})
