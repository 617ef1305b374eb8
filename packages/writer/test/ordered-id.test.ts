import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { expect, it } from 'vitest'
import { orderedIds } from '../src/ordered-id.ts'

it('ids made up sort by their time, are told apart within it, and have one length', () => {
  const clock = manualClock()
  const next = orderedIds(clock, seededRandom(1))
  const ids = Array.from({ length: 1_000 }, () => next())
  expect(new Set(ids).size).toBe(1_000)
  expect(new Set(ids.map((id) => id.length))).toEqual(new Set([32]))
  expect(new Set(ids.map((id) => id.slice(0, 12)))).toEqual(new Set([clock.wallMs().toString(16).padStart(12, '0')]))
})
