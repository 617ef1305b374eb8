import { seededRandom } from '@headrace/core'
import { manualClock } from '@headrace/core/testing'
import { expect, it } from 'vitest'
import { orderedIds } from '../src/ordered-id.ts'
import { partitionOf } from '../src/partition-of.ts'

it('spreads keys that differ in one digit evenly', () => {
  for (const partitions of [2, 7, 16, 64]) {
    const counts = new Array<number>(partitions).fill(0)
    for (let at = 0; at < 64_000; at++) counts[partitionOf(`sku-${at}`, partitions)]!++
    const mean = 64_000 / partitions
    // Five standard deviations of a binomial.
    for (const count of counts) expect(Math.abs(count - mean)).toBeLessThan(5 * Math.sqrt(mean))
  }
})

it('never changes: a store remembers its fences by partition', () => {
  const of = (key: string) => [2, 16, 4_096].map((partitions) => partitionOf(key, partitions))
  expect([of('a'), of('sku-42'), of('\u{1f600}')]).toMatchInlineSnapshot(`
    [
      [
        1,
        3,
        435,
      ],
      [
        1,
        5,
        789,
      ],
      [
        0,
        6,
        1062,
      ],
    ]
  `)
  expect(partitionOf('anything', 1)).toBe(0)
})

it('ids made up sort by their time, are told apart within it, and have one length', () => {
  const clock = manualClock()
  const next = orderedIds(clock, seededRandom(1))
  const ids = Array.from({ length: 1_000 }, () => next())
  expect(new Set(ids).size).toBe(1_000)
  expect(new Set(ids.map((id) => id.length))).toEqual(new Set([32]))
  expect(new Set(ids.map((id) => id.slice(0, 12)))).toEqual(new Set([clock.wallMs().toString(16).padStart(12, '0')]))
})
