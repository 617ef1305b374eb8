import { fc, test } from '@fast-check/vitest'
import { exponentialBackoff, type Random } from '@headrace/core'
import { describe, expect, it } from 'vitest'

const fixed = (value: number): Random => ({ next: () => value })

describe('exponentialBackoff', () => {
  it('doubles from delayMinMs at the first repetition up to delayMaxMs', () => {
    const backoff = exponentialBackoff({ delayMinMs: 10, delayMaxMs: 100, random: fixed(0.5) })
    expect([1, 2, 3, 4, 5, 6].map(backoff)).toEqual([5, 10, 20, 40, 50, 50])
  })

  it('starts at 20 ms and ends at 5 s by default', () => {
    const backoff = exponentialBackoff({ random: fixed(0.5) })
    expect(backoff(1)).toBe(10)
    expect(backoff(30)).toBe(2_500)
  })

  it('lets delayMinMs alone be larger than the default of delayMaxMs', () => {
    expect(exponentialBackoff({ delayMinMs: 9_000, random: fixed(0.5) })(7)).toBe(4_500)
  })

  it('draws from the random numbers of the system by default', () => {
    const backoff = exponentialBackoff({ delayMinMs: 1_000 })
    expect(new Set([1, 1, 1, 1, 1].map(backoff)).size).toBe(5)
  })

  it.each([
    [0, 0],
    [0.001, 5e8],
    [1e9, 5e8],
  ])('stays a number at attempt 2000 with delayMinMs %d', (delayMinMs, expected) => {
    const backoff = exponentialBackoff({ delayMinMs, delayMaxMs: 1e9, random: fixed(0.5) })
    expect(backoff(2_000)).toBe(expected)
  })

  test.prop([fc.integer({ min: 1, max: 10_000 }), fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })])(
    'is always from 0 to delayMaxMs',
    (attempt, draw) => {
      const delayMs = exponentialBackoff({ delayMinMs: 3, delayMaxMs: 700, random: fixed(draw) })(attempt)
      expect(delayMs).toBeGreaterThanOrEqual(0)
      expect(delayMs).toBeLessThan(700)
    },
  )

  it.each([
    [{ delayMinMs: -1 }, 'delayMinMs'],
    [{ delayMinMs: Number.NaN }, 'delayMinMs'],
    [{ delayMinMs: 10, delayMaxMs: 9 }, 'delayMaxMs'],
    [{ delayMaxMs: Number.POSITIVE_INFINITY }, 'delayMaxMs'],
  ])('refuses %j and names the option', (options, name) => {
    expect(() => exponentialBackoff(options)).toThrow(RangeError)
    expect(() => exponentialBackoff(options)).toThrow(name)
  })
})
