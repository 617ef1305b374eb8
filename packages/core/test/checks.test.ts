import { Buffer } from 'node:buffer'
import { fc, test } from '@fast-check/vitest'
import { checkFunction, checkInteger, checkKey, checkNumber, describe as kindOf } from '@headrace/core'
import { describe, expect, it } from 'vitest'

const outcome = (check: () => void): unknown => {
  try {
    check()
    return 'fine'
  } catch (error) {
    return (error as Error).constructor
  }
}

describe('checkKey', () => {
  it.each(['k', '0', ' ', 'a'.repeat(512), 'é'.repeat(256), '水'.repeat(170), '🌊'.repeat(128)])('takes %s', (key) => {
    expect(() => checkKey('key', key)).not.toThrow()
  })

  it.each([
    ['nothing', ''],
    ['513 bytes of one byte', 'a'.repeat(513)],
    ['514 bytes of two', 'é'.repeat(257)],
    ['513 bytes of three', '水'.repeat(171)],
    ['516 bytes of four', '🌊'.repeat(129)],
    ['a lone surrogate', 'a\uD800b'],
  ])('refuses %s', (_, key) => {
    expect(() => checkKey('key', key)).toThrow(RangeError)
  })

  it.each([undefined, null, 7, ['a'], { key: 'a' }])('refuses %j as a TypeError', (key) => {
    expect(() => checkKey('key', key)).toThrow(TypeError)
  })

  it('names the parameter and what is wrong with it', () => {
    expect(() => checkKey('sku', '')).toThrow('sku must not be empty')
    expect(() => checkKey('sku', [])).toThrow('sku must be a string, received an array')
    expect(() => checkKey('sku', 'é'.repeat(300))).toThrow('sku must be at most 512 bytes, received 600 or more')
    expect(() => checkKey('sku', '\uDC00')).toThrow('sku must be well-formed Unicode')
  })

  it('never repeats the key, which may be personal', () => {
    const key = 'ada@example.com '.repeat(40)
    expect(() => checkKey('key', key)).toThrow(/^(?!.*ada).*$/)
  })

  test.prop([fc.string({ unit: 'binary', maxLength: 600 })])('agrees with UTF-8 on every string', (key) => {
    const fits = key !== '' && Buffer.byteLength(key) <= 512 && key === Buffer.from(key).toString()
    expect(outcome(() => checkKey('key', key))).toBe(fits ? 'fine' : RangeError)
  })
})

describe('checkNumber', () => {
  it('takes the ends of its range', () => {
    expect(() => checkNumber('n', 1, { min: 1, max: 2 })).not.toThrow()
    expect(() => checkNumber('n', 2, { min: 1, max: 2 })).not.toThrow()
  })

  it.each([0.999, 2.001, Number.NaN, Number.POSITIVE_INFINITY])('refuses %d in a range from 1 to 2', (value) => {
    expect(() => checkNumber('n', value, { min: 1, max: 2 })).toThrow(`n must be from 1 to 2, received ${value}`)
    expect(() => checkNumber('n', value, { min: 1, max: 2 })).toThrow(RangeError)
  })

  it('takes Infinity only where max says so', () => {
    expect(() => checkNumber('n', Number.POSITIVE_INFINITY)).toThrow(RangeError)
    expect(() => checkNumber('n', Number.POSITIVE_INFINITY, { max: Number.POSITIVE_INFINITY })).not.toThrow()
    expect(() => checkNumber('n', -1e308)).not.toThrow()
  })

  it.each(['1', 1n, null, undefined])('refuses %s as a TypeError', (value) => {
    expect(() => checkNumber('n', value)).toThrow(TypeError)
    expect(() => checkNumber('n', value)).toThrow(`n must be a number, received ${kindOf(value)}`)
  })
})

describe('checkInteger', () => {
  it.each([1, 2, 3])('takes %d in a range from 1 to 3', (value) => {
    expect(() => checkInteger('n', value, { min: 1, max: 3 })).not.toThrow()
  })

  it.each([0, 4, 1.5, Number.NaN])('refuses %d in a range from 1 to 3', (value) => {
    expect(() => checkInteger('n', value, { min: 1, max: 3 })).toThrow(RangeError)
  })

  it('refuses integers that a number cannot hold exactly', () => {
    expect(() => checkInteger('n', Number.MAX_SAFE_INTEGER)).not.toThrow()
    expect(() => checkInteger('n', Number.MIN_SAFE_INTEGER)).not.toThrow()
    expect(() => checkInteger('n', 2 ** 53)).toThrow(RangeError)
    expect(() => checkInteger('n', -(2 ** 53))).toThrow(RangeError)
  })

  it('says that a fraction is not an integer', () => {
    expect(() => checkInteger('n', 1.5)).toThrow('n must be an integer, received 1.5')
  })
})

describe('checkFunction', () => {
  it('takes a function and names what else it received', () => {
    expect(() => checkFunction('decide', () => {})).not.toThrow()
    expect(() => checkFunction('decide', {})).toThrow('decide must be a function, received object')
    expect(() => checkFunction('decide', {})).toThrow(TypeError)
  })
})

describe('describe', () => {
  it.each([
    [null, 'null'],
    [[1], 'an array'],
    [{}, 'object'],
    ['secret', 'string'],
    [undefined, 'undefined'],
  ])('calls %j "%s"', (value, kind) => {
    expect(kindOf(value)).toBe(kind)
  })
})
