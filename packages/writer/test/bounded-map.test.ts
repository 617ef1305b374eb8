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
