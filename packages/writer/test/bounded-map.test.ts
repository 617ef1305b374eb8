import { fc, test } from '@fast-check/vitest'
import { expect, it } from 'vitest'
import { BoundedMap } from '../src/bounded-map.ts'

it('remembers at least the last max entries', () => {
  for (let count = 100; count < 400; count++) {
    const map = new BoundedMap<number>(100)
    for (let at = 0; at < count; at++) map.set(`k${at}`, at)
    for (let at = count - 100; at < count; at++) expect(map.get(`k${at}`)).toBe(at)
  }
})

it('forgets what was not used, and keeps what was', () => {
  const map = new BoundedMap<number>(10)
  map.set('used', 1)
  map.set('unused', 2)
  for (let at = 0; at < 100; at++) {
    map.set(`k${at}`, at)
    expect(map.get('used')).toBe(1)
  }
  expect(map.get('unused')).toBeUndefined()
})

test.prop([fc.integer({ min: 1, max: 8 }), fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 20 })))])(
  'never gives a value that was not the last one set, and never holds more than twice max',
  (max, steps) => {
    const map = new BoundedMap<number>(max)
    const model = new Map<string, number>()
    steps.forEach(([isSet, key], at) => {
      if (isSet) {
        map.set(`${key}`, at)
        model.set(`${key}`, at)
      } else expect([undefined, model.get(`${key}`)]).toContain(map.get(`${key}`))
    })
    expect(
      Array.from({ length: 21 }, (_, key) => key).filter((key) => map.get(`${key}`) !== undefined).length,
    ).toBeLessThanOrEqual(2 * max)
  },
)

it('does not forget what is to be kept, however much comes, until that may go', () => {
  const inUse = new Set([7, 8])
  const map = new BoundedMap<number>(10, (value) => inUse.has(value))
  map.set('a', 7)
  map.set('b', 8)
  for (let at = 100; at < 200; at++) map.set(`k${at}`, at)
  // Asking would count as use.
  inUse.delete(8)
  for (let at = 200; at < 300; at++) map.set(`k${at}`, at)
  expect(map.get('a')).toBe(7)
  expect(map.get('b')).toBeUndefined()
})

it('remembers the last max entries on top of those that are kept', () => {
  for (let count = 60; count < 160; count++) {
    const map = new BoundedMap<number>(10, (value) => value < 50)
    for (let at = 0; at < count; at++) map.set(`k${at}`, at)
    for (let at = count - 10; at < count; at++) expect(map.get(`k${at}`)).toBe(at)
    for (let at = 0; at < 50; at++) expect(map.get(`k${at}`)).toBe(at)
  }
})

it('forgets at once what is deleted, in either generation', () => {
  const map = new BoundedMap<number>(3)
  for (const key of ['a', 'b', 'c', 'd']) map.set(key, 1)
  for (const key of ['a', 'd']) {
    map.delete(key)
    expect(map.get(key)).toBeUndefined()
  }
  expect(map.get('b')).toBe(1)
})
