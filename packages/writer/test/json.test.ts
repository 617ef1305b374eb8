import { fc, test } from '@fast-check/vitest'
import { expect, it } from 'vitest'
import { commandText, fingerprintOf, jsonGuard } from '../src/json.ts'

/** The same value with the members of every object in another order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).toReversed()
  return Object.fromEntries(members.map(([name, member]) => [name, reversed(member)]))
}

test.prop([fc.jsonValue()])(
  'the text of a command does not depend on the order of members, and loses nothing',
  (value) => {
    const text = commandText(value)
    expect(commandText(reversed(value))).toBe(text)
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
  },
)

test.prop([fc.jsonValue()])('the guard takes every JSON value, freezes it, and takes it again', (value) => {
  const guard = jsonGuard()
  guard(value, 'value')
  guard(value, 'value')
  if (typeof value === 'object') expect(Object.isFrozen(value)).toBe(true)
})

it('a member that is undefined is no member', () => {
  expect(commandText({ b: 1, a: undefined })).toBe(commandText({ b: 1 }))
  jsonGuard()({ a: undefined }, 'value')
})

it('what was frozen before is looked into all the same', () => {
  const guard = jsonGuard()
  expect(() => guard(Object.freeze({ at: new Date(0) }), 'value')).toThrow('value.at is a Date')
})

it('a fingerprint tells key and command apart, and two hundred thousand commands of one kind', () => {
  expect(fingerprintOf('a', 'b')).not.toBe(fingerprintOf('b', 'a'))
  expect(fingerprintOf('ab', 'c')).not.toBe(fingerprintOf('a', 'bc'))
  const seen = new Set<string>()
  for (let at = 0; at < 200_000; at++) seen.add(fingerprintOf('key', `{"quantity":${at}}`))
  expect(seen.size).toBe(200_000)
})

it('fingerprints never change: a store compares them with those of years ago', () => {
  expect(fingerprintOf('sku-42', '{"buyer":"ada","quantity":1}')).toMatchInlineSnapshot(`"-917095155 774048750"`)
})
