import { fc, test } from '@fast-check/vitest'
import { cryptoRandom, type Random, randomBelow, randomId, seededRandom } from '@headrace/core'
import { describe, expect, it } from 'vitest'

/** The same generator in unlimited integers, modulo 2^32 where the definition says so. */
function reference(seed: bigint, count: number): number[] {
  const word = (value: bigint) => value & 0xffffffffn
  return Array.from({ length: count }, (_, index) => {
    let z = word(seed + 0x9e3779b9n * BigInt(index + 1))
    z = word((z ^ (z >> 16n)) * 0x21f0aaadn)
    z = word((z ^ (z >> 15n)) * 0x735a2d97n)
    return Number(z ^ (z >> 15n)) / 2 ** 32
  })
}

const draw = (random: Random, count: number) => Array.from({ length: count }, () => random.next())

/** Pearson's statistic of counts that should be equal, in standard deviations from its mean. */
function chiSquaredZ(counts: readonly number[], expected: number): number {
  const chi = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  const degrees = counts.length - 1
  return (chi - degrees) / Math.sqrt(2 * degrees)
}

describe('seededRandom', () => {
  test.prop([fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER })])(
    'follows its definition for every seed',
    (seed) => {
      expect(draw(seededRandom(seed), 5)).toEqual(reference(BigInt(seed), 5))
    },
  )

  it('starts anew from the same seed', () => {
    expect(draw(seededRandom(42), 100)).toEqual(draw(seededRandom(42), 100))
    expect(draw(seededRandom(42), 1)).not.toEqual(draw(seededRandom(43), 1))
  })

  it.each([
    ['one seed', () => draw(seededRandom(7), 256_000)],
    ['the first number of neighbouring seeds', () => Array.from({ length: 256_000 }, (_, n) => seededRandom(n).next())],
  ])('spreads evenly, high bits and low ones, over %s', (_, numbers) => {
    const high = new Array<number>(256).fill(0)
    const low = new Array<number>(256).fill(0)
    const pairs = new Array<number>(256).fill(0)
    let before = 0
    for (const number of numbers()) {
      high[Math.floor(number * 256)]!++
      low[(number * 2 ** 32) % 256]!++
      const nibble = Math.floor(number * 16)
      pairs[before * 16 + nibble]!++
      before = nibble
    }
    for (const counts of [high, low, pairs]) expect(Math.abs(chiSquaredZ(counts, 1_000))).toBeLessThan(4)
  })

  it.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, undefined, '7'])('refuses %s as a seed', (seed) => {
    expect(() => seededRandom(seed as number)).toThrow('seed must be')
  })
})

describe('cryptoRandom', () => {
  it('stays in [0, 1), spreads evenly and does not repeat itself when it draws anew', () => {
    const numbers = draw(cryptoRandom, 64_000)
    const counts = new Array<number>(64).fill(0)
    for (const number of numbers) counts[Math.floor(number * 64)]!++
    expect(counts).toHaveLength(64)
    expect(Math.abs(chiSquaredZ(counts, 1_000))).toBeLessThan(6)
    expect(new Set(numbers).size).toBeGreaterThan(63_900)
  })
})

describe('randomId', () => {
  it('is 128 bits as 32 hexadecimal digits, zeros kept', () => {
    expect(randomId({ next: () => 0 })).toBe('0'.repeat(32))
    expect(randomId({ next: () => 1 - 2 ** -32 })).toBe('f'.repeat(32))
    const words = [0x00000001, 0x0000abcd, 0xdeadbeef, 0x80000000]
    expect(randomId({ next: () => words.shift()! / 2 ** 32 })).toBe('000000010000abcddeadbeef80000000')
  })

  it('begins with the prefix that is given, and is as long as ever', () => {
    const words = [0x01234567, 0x89abcdef]
    expect(randomId({ next: () => words.shift()! / 2 ** 32 }, 'f'.repeat(20))).toBe(`${'f'.repeat(20)}0123456789ab`)
  })

  it('does not repeat by default', () => {
    const ids = Array.from({ length: 1_000 }, () => randomId())
    expect(new Set(ids).size).toBe(1_000)
    expect(ids.every((id) => /^[0-9a-f]{32}$/.test(id))).toBe(true)
  })
})

describe('randomBelow', () => {
  test.prop([fc.integer({ min: 1, max: 2 ** 32 }), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })])(
    'is an integer from 0 to below its bound',
    (bound, number) => {
      const value = randomBelow({ next: () => number }, bound)
      expect(Number.isInteger(value) && value >= 0 && value < bound).toBe(true)
    },
  )

  it('reaches both ends', () => {
    expect(randomBelow({ next: () => 0 }, 10)).toBe(0)
    expect(randomBelow({ next: () => 1 - 2 ** -53 }, 10)).toBe(9)
  })
})
