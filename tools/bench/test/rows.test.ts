import { seededRandom } from '@headrace/core'
import { expect, it } from 'vitest'
import { compare, median } from '../src/rows.ts'
import { figure, tableOf } from '../src/table.ts'

it('the median is the middle one, or the mean of the middle two, by number and not by spelling', () => {
  expect(median([10, 9, 100])).toBe(10)
  expect(median([1, 10, 2, 100])).toBe(6)
  expect(() => median([])).toThrow('values must not be empty')
})

it('the ratio of the medians lies between the smallest and the largest ratio of a repetition', () => {
  const { next } = seededRandom(1)
  for (let round = 0; round < 1_000; round++) {
    const runs = 3 + (round % 4)
    const some = () => Array.from({ length: runs }, () => 0.01 + next())
    const { ratio, ratioMin, ratioMax } = compare(some(), some())
    expect(ratio).toBeGreaterThanOrEqual(ratioMin! * (1 - 1e-12))
    expect(ratio).toBeLessThanOrEqual(ratioMax! * (1 + 1e-12))
  }
})

it('a peer that once measured nothing has no ratio', () => {
  expect(compare([1, 1, 1], [1, 0, 1])).toEqual({ ratio: null, ratioMin: null, ratioMax: null })
})

it('figures show three digits that count', () => {
  expect([0, 1_234_567.8, 123.4, 12.34, 1.234, 0.001234].map(figure)).toEqual([
    '0',
    '1,234,568',
    '123',
    '12.3',
    '1.23',
    '0.00123',
  ])
})

it('the table names the metric, the peer and the spread', () => {
  const row = { bench: 'x', case: 'one key', metric: 'p99Ms', unit: 'ms', ours: 2, runs: 3 }
  const table = tableOf([
    { ...row, peer: 8, peerName: 'redlock', ratio: 0.25, ratioMin: 0.2, ratioMax: 0.3 },
    { ...row, case: 'alone', peer: null, peerName: null, ratio: null, ratioMin: null, ratioMax: null },
  ])
  expect(table).toMatch(/one key\W+p99Ms \(ms\)\W+2\.00\W+redlock\W+8\.00\W+0\.250\W+0\.200 … 0\.300\W+3/)
  expect(table).toMatch(/alone\W+p99Ms \(ms\)\W+2\.00[\s│]+3/)
})
